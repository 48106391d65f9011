import * as z from 'zod';
import type { Bucket } from '../shared/bucket.ts';
import type { AlertFile } from './file.ts';
import { indexKey, segmentKey } from './file-keys.ts';
import { INDEX_ENTRY_BYTES } from './segments.ts';

/** One user of a block, and the bytes of the segment that are the data of the alert. */
export interface BlockUser {
  readonly userId: string;
  readonly row: number;
  /** Goes out byte for byte. */
  readonly dataJson: string;
  readonly bodyRef: { readonly key: string; readonly start: number; readonly end: number };
}

const IndexEntry = z.object({
  segment: z.int(),
  start: z.int(),
  end: z.int(),
  users: z.int(),
});

const AlertData = z.object({ userId: z.string(), row: z.int() });

const LF = 0x0a;

/** The users of a block in their order. Throws when the bucket does not have what was stored. */
export async function readBlockUsers(
  bucket: Pick<Bucket, 'read'>,
  file: AlertFile,
  block: number,
): Promise<BlockUser[]> {
  const entryStart = block * INDEX_ENTRY_BYTES;
  const entry = await readRange(bucket, indexKey(file), {
    start: entryStart,
    end: entryStart + INDEX_ENTRY_BYTES,
  });
  const place = IndexEntry.parse(JSON.parse(entry.toString()));
  const key = segmentKey(file, place.segment);
  const lines = await readRange(bucket, key, place);
  const users: BlockUser[] = [];
  for (let at = 0; at < lines.length; ) {
    const lineEnd = lines.indexOf(LF, at);
    const dataJson = lines.toString('utf8', at, lineEnd);
    const bodyRef = { key, start: place.start + at, end: place.start + lineEnd };
    users.push({ ...AlertData.parse(JSON.parse(dataJson)), dataJson, bodyRef });
    at = lineEnd + 1;
  }
  if (users.length !== place.users) throw new Error(`block ${block} of ${file.id} is torn`);
  return users;
}

async function readRange(
  bucket: Pick<Bucket, 'read'>,
  key: string,
  range: { readonly start: number; readonly end: number },
): Promise<Buffer> {
  const chunks = await bucket.read(key, { start: range.start, end: range.end });
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks ?? []) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  if (bytes.length !== range.end - range.start) {
    throw new Error(`${key} has no bytes ${range.start} to ${range.end}`);
  }
  return bytes;
}
