import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import { blockMessage } from './block-message.ts';
import { markContent } from './content.store.ts';
import { type FileName, findFile, saveFile } from './file.store.ts';
import {
  type AlertFile,
  claimReading,
  failFile,
  finishReading,
  mayRead,
  READINGS_MAX,
  type ReadingResult,
} from './file.ts';
import { type FileError, FileFault } from './file-fault.ts';
import { uploadKey } from './file-keys.ts';
import type { RowCounts } from './file-reading.ts';
import { type FileEventType, fileEvent } from './file-view.ts';
import { type ReadingLimits, ReadingLost, readUpload, type Upload } from './read-upload.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'>;

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
  limits: ReadingLimits,
): Promise<void> {
  const file = upload && (await claim(upload, world));
  if (!file) {
    world.log.info('file.parse-skipped', { ...upload });
    return;
  }

  try {
    const startMs = world.clock.nowMs();
    const read = await readUpload(world, file, limits);
    const seconds = (world.clock.nowMs() - startMs) / SECOND_MS;
    world.meters.observe('tallyhook_file_parse_duration_seconds', seconds);
    await release(read, world);
  } catch (error) {
    if (error instanceof ReadingLost) world.log.warn('file.parser-lost', { file: file.id });
    else if (error instanceof FileFault) await fail(file, error.facts, world);
    else throw error;
  }
}

/** What a row of an upload may be. */
const ROWS = ['user', 'duplicate', 'malformed'] as const;

const UNREADABLE: FileError = {
  code: 'unreadable',
  detail:
    `The file could not be read in ${READINGS_MAX} tries. Announce and upload it again; if that ` +
    'fails too, split it, and ask whoever runs the service to look at its logs.',
};

const GONE: FileError = {
  code: 'not_found',
  detail: 'The upload is not there any more. Upload the file anew.',
};

/** Undefined when there is nothing to read, another parser reads it, or too many died over it. */
async function claim(upload: UploadedFile, world: Needs): Promise<AlertFile | undefined> {
  const { bucket, clock, db } = world;
  const file = await findFile(db, upload);
  if (!file || !mayRead(file, clock.nowMs())) return undefined;
  // A drop is the version that it was made of, whatever has come under its key since.
  const pinned = file.objectKey === undefined ? upload.objectVersion : file.objectVersion;
  const facts = await bucket.stat(uploadKey(file), pinned);
  if (!facts) {
    if (isGone(file, pinned)) await fail(file, GONE, world);
    return undefined;
  }
  if (file.readings - (file.readingsBefore ?? 0) >= READINGS_MAX) {
    await fail(file, UNREADABLE, world);
    return undefined;
  }

  const nowMs = clock.nowMs();
  const claimed = claimReading(file, pinned ?? facts.versionId, nowMs);
  const commit = await db.commit([saveFile(file, claimed, nowMs)]);
  if (!commit.ok) return undefined;
  if (facts.bytes === file.bytes) return claimed;

  const detail = `The upload has ${facts.bytes} bytes, but ${file.bytes} were announced.`;
  await fail(claimed, { code: 'size_mismatch', detail }, world);
  return undefined;
}

/** Whether there is nothing to wait for, where this version of the upload is not there. */
function isGone({ objectKey, state }: AlertFile, version: string | undefined): boolean {
  if (objectKey !== undefined) return true;
  // A form may be used again; and a late event may tell of a version that another one followed.
  return state === 'parsing' && version === undefined;
}

/** One commit: all counts, where the blocks lie, and the event. Then the first blocks go out. */
async function release(upload: Upload, world: Needs): Promise<void> {
  const { file, reading } = upload;
  const endpoint = await findEndpoint(world.db, file.tenantId, file.endpointId);
  if (!endpoint) {
    const detail = 'The endpoint of the file was deleted.';
    throw new FileFault({ code: 'endpoint_not_found', detail });
  }
  const { counts, blocks } = reading;
  const result = { counts, blocks, perSecond: endpoint.perSecond };
  const ready =
    (await commitReady(upload, result, world)) ??
    (await commitReady(upload, { ...result, isRepeat: true }, world));
  if (!ready) throw new ReadingLost();

  countRows(counts, world);
  world.log.info('file.parsed', { tenant: file.tenantId, file: file.id, ...counts, blocks });
  if (ready.state !== 'delivering') return;
  const first = Array.from({ length: Math.min(ready.window, blocks) }, (_, number) => number);
  await world.queues.send(
    'file-blocks',
    first.map((number) => blockMessage(ready, number)),
  );
}

function countRows({ alerts, duplicates, malformed }: RowCounts, { meters }: Needs): void {
  meters.count('tallyhook_files_parsed_total', { result: 'parsed' });
  const rows = { user: alerts, duplicate: duplicates, malformed };
  for (const result of ROWS) meters.count('tallyhook_file_rows_total', { result }, rows[result]);
}

/** Undefined when the same bytes went to the endpoint lately, and a person has to approve them. */
async function commitReady(
  { file, contentHash }: Upload,
  result: ReadingResult,
  world: Needs,
): Promise<AlertFile | undefined> {
  const { clock, ids } = world;
  const nowMs = clock.nowMs();
  const ready = { ...finishReading(file, result, nowMs), contentHash };
  const isNews = result.blocks > 0 && !result.isRepeat;
  // Who may repeat them and waits takes nobody's mark: its release does, if that ever comes.
  const isMarked = isNews && (ready.state === 'delivering' || !file.allowRepeat);
  const events = eventsOf(ready).map((type) =>
    insertEvent(fileEvent(ready, type, { id: ids.next('evt'), nowMs })),
  );
  // Another file of the same bytes may be in the way, and reading it all anew takes minutes.
  const commit = await commitDespiteConflicts(world, [
    saveFile(file, ready, nowMs),
    ...events,
    ...(isMarked ? [markContent(file, contentHash, nowMs)] : []),
  ]);
  if (commit.ok) return ready;
  if (commit.reasons[0]?.code === 'condition' || !isMarked) throw new ReadingLost();
  if (commit.reasons.at(-1)?.code === 'condition') return undefined;
  throw new Problem('busy', { detail: 'The file could not be stored.' });
}

function eventsOf({ state }: AlertFile): FileEventType[] {
  if (state === 'needs_approval') return ['file.needs_approval'];
  return state === 'completed' ? ['file.ready', 'file.completed'] : ['file.ready'];
}

/** Ends the file if no other parser than the one that found the fault has it. */
async function fail(claimed: AlertFile, error: FileError, world: Needs): Promise<void> {
  const { clock, db, ids, log } = world;
  // The lease was renewed since, so that the version is another one.
  const file = await findFile(db, { tenantId: claimed.tenantId, fileId: claimed.id });
  const isUnread = file?.state === 'parsing' || file?.state === 'awaiting_upload';
  if (!isUnread || file.readings !== claimed.readings) return;

  const failed = failFile(file, error);
  const nowMs = clock.nowMs();
  const event = fileEvent(failed, 'file.failed', { id: ids.next('evt'), nowMs });
  const commit = await db.commit([saveFile(file, failed, nowMs), insertEvent(event)]);
  if (commit.ok) world.meters.count('tallyhook_files_parsed_total', { result: 'failed' });
  log.info('file.failed', { tenant: file.tenantId, file: file.id, ...error, stored: commit.ok });
}
