import { insertEvent } from '../events/event.store.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import { blockMessage } from './block-message.ts';
import { type FileName, findFile, saveFile } from './file.store.ts';
import {
  type AlertFile,
  claimReading,
  failFile,
  finishReading,
  mayRead,
  READINGS_MAX,
  uploadKey,
} from './file.ts';
import { type FileError, FileFault } from './file-fault.ts';
import { fileEvent } from './file-view.ts';
import { ReadingLost, readUpload, type Upload } from './read-upload.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** An uploaded object, and its version where the bucket tells one. */
export interface UploadedFile extends FileName {
  readonly objectVersion?: string | undefined;
}

/**
 * Reads an uploaded file and, in one commit, makes its users known and tells so: until then
 * nothing of it can be sent. Safe to repeat: a second parser steps back while the first may be
 * alive, and begins anew when it is dead. An object that is no upload is left alone.
 */
export async function parseFile(
  upload: UploadedFile | undefined,
  world: Needs,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<void> {
  const file = upload && (await claim(upload, world));
  if (!file) {
    world.log.info('file.parse-skipped', { ...upload });
    return;
  }

  try {
    await release(await readUpload(world, file, deadlineMs), world);
  } catch (error) {
    if (error instanceof ReadingLost) world.log.warn('file.parser-lost', { file: file.id });
    else if (error instanceof FileFault) await fail(file, error.facts, world);
    else throw error;
  }
}

const UNREADABLE: FileError = {
  code: 'unreadable',
  detail:
    `The file could not be read in ${READINGS_MAX} tries. Announce and upload it again; if that ` +
    'fails too, split it, and ask whoever runs the service to look at its logs.',
};

/** Undefined when there is nothing to read, another parser reads it, or too many died over it. */
async function claim(upload: UploadedFile, world: Needs): Promise<AlertFile | undefined> {
  const { bucket, clock, db } = world;
  const file = await findFile(db, upload);
  if (!file || !mayRead(file, clock.nowMs())) return undefined;
  const facts = await bucket.stat(uploadKey(file), upload.objectVersion);
  if (!facts) return undefined;
  if (file.readings >= READINGS_MAX) {
    await fail(file, UNREADABLE, world);
    return undefined;
  }

  const nowMs = clock.nowMs();
  const claimed = claimReading(file, upload.objectVersion ?? facts.versionId, nowMs);
  const commit = await db.commit([saveFile(claimed, file.version, nowMs)]);
  if (!commit.ok) return undefined;
  if (facts.bytes === file.bytes) return claimed;

  const detail = `The upload has ${facts.bytes} bytes, but ${file.bytes} were announced.`;
  await fail(claimed, { code: 'size_mismatch', detail }, world);
  return undefined;
}

/** One commit: all counts, where the blocks lie, and the event. Then the first blocks go out. */
async function release({ file, reading }: Upload, world: Needs): Promise<void> {
  const { clock, db, ids, log, queues } = world;
  const endpoint = await findEndpoint(db, file.tenantId, file.endpointId);
  if (!endpoint) {
    const detail = 'The endpoint of the file was deleted.';
    throw new FileFault({ code: 'endpoint_not_found', detail });
  }
  const nowMs = clock.nowMs();
  const { counts, blocks } = reading;
  const ready = finishReading(file, { counts, blocks, perSecond: endpoint.perSecond }, nowMs);
  const types =
    blocks === 0 ? (['file.ready', 'file.completed'] as const) : (['file.ready'] as const);
  const events = types.map((type) => fileEvent(ready, type, { id: ids.next('evt'), nowMs }));
  const commit = await db.commit([
    saveFile(ready, file.version, nowMs),
    ...events.map(insertEvent),
  ]);
  if (!commit.ok) throw new ReadingLost();

  log.info('file.parsed', { tenant: file.tenantId, file: file.id, ...counts, blocks });
  const first = Array.from({ length: Math.min(ready.window, blocks) }, (_, number) => number);
  await queues.send(
    'file-blocks',
    first.map((number) => blockMessage(ready, number)),
  );
}

/** Ends the file if it is still in the hands of the parser that found the fault. */
async function fail(claimed: AlertFile, error: FileError, world: Needs): Promise<void> {
  const { clock, db, ids, log } = world;
  // The lease was renewed since, so that the version is another one.
  const file = await findFile(db, { tenantId: claimed.tenantId, fileId: claimed.id });
  if (file?.state !== 'parsing' || file.readings !== claimed.readings) return;

  const failed = failFile(file, error);
  const nowMs = clock.nowMs();
  const event = fileEvent(failed, 'file.failed', { id: ids.next('evt'), nowMs });
  const commit = await db.commit([saveFile(failed, file.version, nowMs), insertEvent(event)]);
  log.info('file.failed', { tenant: file.tenantId, file: file.id, ...error, stored: commit.ok });
}
