import * as z from 'zod';
import type { Downloads } from '../shared/bucket.ts';
import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { HOUR_MS, MIB, SECOND_MS } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { findBlocks } from './block.store.ts';
import { findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { exportKey, faultsKey } from './file-keys.ts';
import { readingMs } from './file-looks.ts';
import { assertResultsKept, isUntouched, type ResultStatus, readResults } from './read-results.ts';
import { exportFileRoute } from './result.contract.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'secrets'> & {
  readonly downloads: Downloads;
};

/** A link that is good for this long. */
const LINK_MS = HOUR_MS;
/** Of a part: what a function can hold, some three hundred thousand users. */
const PART_BYTES = 32 * MIB;
/** Of a part: a third of what the caller waits for. */
const PART_MS = 10 * SECOND_MS;
/** Blocks whose states are read by one query. */
const BLOCKS_AT_ONCE = 200;
/** Blocks whose users are read side by side; each is four megabytes at most, and its copies. */
const READS_AT_ONCE = 4;

/** A part ends with the block in which it reaches either. */
export interface PartLimits {
  readonly bytes: number;
  readonly ms: number;
}

const Position = z.object({ block: z.int() });

/**
 * POST /v1/files/{id}/export: the results as they are now, in as many parts as they need, or the
 * malformed rows that are listed. Refuses with `not_found` where those are not kept any more, and
 * malformed rows also of a file that was not read to its end.
 */
export const exportFile = exporter({ bytes: PART_BYTES, ms: PART_MS });

/** The route with parts of this size. */
export function exporter(limits: PartLimits) {
  return route(exportFileRoute, async (call, world: Needs) => {
    const { tenantId, params, body } = call;
    const file = await findFile(world.db, { tenantId, fileId: params.id });
    if (!file) throw new Problem('not_found');
    const { status, cursor } = body;
    if (body.what === 'errors') return linkTo(await errorsOf(file, world), {}, world);

    assertResultsKept(file, world.clock.nowMs());
    const boundTo = [tenantId, 'export', file.id, String(file.readings), status ?? ''];
    const secret = await world.secrets.read('cursor-key');
    const from =
      cursor === undefined ? 0 : Position.parse(openCursor(cursor, boundTo, secret)).block;
    const { key, next } = await storePart(file, { from, status, limits }, world);
    const more =
      next === undefined ? {} : { nextCursor: makeCursor({ block: next }, boundTo, secret) };
    return linkTo(key, more, world);
  });
}

async function linkTo(
  key: string,
  more: { readonly nextCursor?: string },
  { clock, downloads }: Needs,
) {
  const url = await downloads.presignGet(key, LINK_MS / SECOND_MS);
  return { body: { url, expiresAt: toInstant(clock.nowMs() + LINK_MS), ...more } };
}

const UNREAD = 'The file was not read to its end: it has no list of malformed rows.';

/** A reading without malformed rows has stored no list of them: the empty one is made here. */
async function errorsOf(file: AlertFile, world: Needs): Promise<string> {
  const key = faultsKey(file);
  if (await world.bucket.stat(key)) return key;
  if (readingMs(file) === undefined) throw new Problem('not_found', { detail: UNREAD });
  if (file.malformed === 0) return await store(file, new Uint8Array(0), world);
  throw new Problem('not_found', { detail: 'The list of errors is not kept so long.' });
}

/** Each time as another object: links are to what the list was. */
async function store(file: AlertFile, lines: Uint8Array, { bucket, ids }: Needs): Promise<string> {
  const key = exportKey(file, ids.next('req'));
  await bucket.put(key, lines, 'application/x-ndjson');
  return key;
}

interface Order {
  readonly from: number;
  readonly status: ResultStatus | undefined;
  readonly limits: PartLimits;
}

/** Stores the results from a block on. */
async function storePart(
  file: AlertFile,
  { from, status, limits }: Order,
  world: Needs,
): Promise<{ readonly key: string; readonly next: number | undefined }> {
  const endMs = world.clock.nowMs() + limits.ms;
  const parts: Buffer[] = [];
  let [bytes, next] = [0, from];
  for await (const lines of eachResults(file, { from, status }, world)) {
    parts.push(lines.bytes);
    bytes += lines.bytes.length;
    next = lines.next;
    if (bytes >= limits.bytes || world.clock.nowMs() >= endMs) break;
  }
  const key = await store(file, Buffer.concat(parts), world);
  return { key, next: next < file.blocks ? next : undefined };
}

/** The lines of some blocks at a time, and the first block behind them. */
async function* eachResults(
  file: AlertFile,
  { from, status }: Pick<Order, 'from' | 'status'>,
  world: Needs,
): AsyncGenerator<{ readonly bytes: Buffer; readonly next: number }> {
  const name = { tenantId: file.tenantId, fileId: file.id };
  for (let first = from; first < file.blocks; first += BLOCKS_AT_ONCE) {
    const end = Math.min(file.blocks, first + BLOCKS_AT_ONCE);
    const touched = await findBlocks(world.db, name, { from: first, to: end });
    for (let at = first; at < end; at += READS_AT_ONCE) {
      const next = Math.min(end, at + READS_AT_ONCE);
      const numbers = Array.from({ length: next - at }, (_, i) => at + i);
      const lines = await Promise.all(
        numbers.map(async (number) => {
          const block = touched.get(number);
          if (!block && !isUntouched(file, status)) return '';
          const wanted = { from: 0, max: Infinity, status };
          const { results } = await readResults(file, { number, block, wanted }, world);
          return results.map((it) => `${JSON.stringify(it)}\n`).join('');
        }),
      );
      yield { bytes: Buffer.from(lines.join('')), next };
    }
  }
}
