import { insertEvent } from '../events/event.store.ts';
import type { Receipt } from '../shared/aws/batch.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { eachBlock } from './block.store.ts';
import type { Block } from './block.ts';
import { blockMessage } from './block-message.ts';
import { careMessage } from './care-message.ts';
import { changeFile } from './change-file.ts';
import { endFile } from './end-file.ts';
import { fileNameOfKey, findFile, markLookedAt, saveFile } from './file.store.ts';
import { type AlertFile, expireFile } from './file.ts';
import { cancelFile, type FileAction } from './file-action.ts';
import { uploadKey } from './file-keys.ts';
import { isTooOld, isWaiting, nextLookMs, waitEndsMs } from './file-looks.ts';
import { fileEvent } from './file-view.ts';
import { sendFailed } from './send-failed.ts';
import { settleFromRecords } from './settle-alerts.ts';
import { nextBlocksLookMs, stalledBlocks } from './stalled-blocks.ts';
import { uploadReminder } from './upload-message.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** A retry waits for blocks that workers have in hand: they may be done long before a minute. */
const RETRY_LOOK_MS = 15 * SECOND_MS;
/** The sweeper may come this much before the time. */
const EARLY_MS = 2 * SECOND_MS;

/**
 * Looks at a file whose `due` has come, and sends what seems to have been lost: the event of its
 * upload, the message of a block, the notice of a retry's outcome. All of these are harmless when
 * nothing was lost. A file without an upload ends `expired` some hours after its form does.
 */
export async function careForFile(
  { pk, wasPaused }: { readonly pk: string; readonly wasPaused?: boolean | undefined },
  world: Needs,
  receipt: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const file = await findFile(world.db, fileNameOfKey({ pk }));
  if (file?.dueMs === undefined || file.dueMs > world.clock.nowMs() + EARLY_MS) return;

  if (isTooOld(file, world.clock.nowMs())) await endTooOld(file, world);
  else if (file.state === 'delivering') await careForBlocks({ file, wasPaused }, world, receipt);
  else if (file.state === 'cancelled' && !file.closed) await endFile(file, world);
  else if (file.state === 'cancelled' || isWaiting(file)) await careForPerson(file, world, receipt);
  else await careForUpload(file, world);
}

/** Whoever waits for its alerts, a person or its users, waits in vain. */
async function endTooOld(file: AlertFile, world: Needs): Promise<void> {
  const name = { tenantId: file.tenantId, fileId: file.id };
  const cancel: FileAction = (it, nowMs) =>
    isTooOld(it, nowMs) ? cancelFile(it, nowMs, 'too_old') : undefined;
  const { file: ended } = await changeFile(name, cancel, world);
  if (ended.dueMs !== undefined) await world.queues.send('file-care', [careMessage(ended)]);
}

/** Nothing is sent by itself, but retries come to their ends. */
async function careForPerson(
  file: AlertFile,
  world: Needs,
  receipt: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  await lookAgain(file, world);
  await settleFromRecords(file, world, receipt);
}

/** A drop was there when its file was made: if it is gone, its parser says so. */
async function careForUpload(file: AlertFile, world: Needs): Promise<void> {
  const wasThere = file.state === 'parsing' || file.objectKey !== undefined;
  if (wasThere || (await world.bucket.stat(uploadKey(file)))) {
    await world.queues.send('file-events', [uploadReminder(file)]);
    await lookAgain(file, world);
  } else if (world.clock.nowMs() < waitEndsMs(file)) {
    await lookAgain(file, world);
  } else {
    await expire(file, world);
  }
}

async function expire(file: AlertFile, { clock, db, ids, log }: Needs): Promise<void> {
  const nowMs = clock.nowMs();
  const expired = expireFile(file);
  const event = fileEvent(expired, 'file.expired', { id: ids.next('evt'), nowMs });
  const commit = await db.commit([saveFile(file, expired, nowMs), insertEvent(event)]);
  log.info('file.expired', { tenant: file.tenantId, file: file.id, stored: commit.ok });
}

async function careForBlocks(
  { file, wasPaused = false }: { file: AlertFile; wasPaused: boolean | undefined },
  world: Needs,
  receipt: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const { clock, db, log, queues } = world;
  const name = { tenantId: file.tenantId, fileId: file.id };
  const touched: Block[] = [];
  for await (const block of eachBlock(db, name, file.floor)) touched.push(block);
  const paceVersion = await versionFor(file, touched, world);
  const circumstances = { ...file, wasPaused, paceVersion };
  const { floor, stalled } = stalledBlocks(circumstances, touched, clock.nowMs());
  if (stalled.length > 0) {
    log.warn('file.blocks-stalled', { tenant: file.tenantId, file: file.id, stalled });
    await queues.send(
      'file-blocks',
      stalled.map((it) => blockMessage(file, it, { woken: true })),
    );
  }
  // Before the long part: whatever ends that, the next look goes on.
  const nowMs = clock.nowMs();
  const retryMs = file.resendFrom === undefined ? Infinity : nowMs + RETRY_LOOK_MS;
  const lookMs = Math.min(nextBlocksLookMs(touched, nowMs), retryMs);
  const isUnderWay = floor < file.blocks || file.resendFrom !== undefined;
  await lookAgain({ ...file, floor }, world, isUnderWay ? lookMs : Infinity);
  if (file.resendFrom !== undefined) await sendFailed(file, world, receipt);
  else if (floor === file.blocks) await settleFromRecords(file, world, receipt);
}

/** Of the endpoint's pace, where any block waits by it. */
async function versionFor(
  { tenantId, endpointId }: AlertFile,
  touched: readonly Block[],
  { db }: Needs,
): Promise<number | undefined> {
  if (!touched.some((it) => it.notBeforeMs !== undefined)) return undefined;
  return (await findPace(db, { tenantId, id: endpointId })).version;
}

/**
 * Refused when the file has changed since: then whoever changed it has set its `due`. For a look
 * that is `wantedMs` before its usual time the sweeper may come too late.
 */
async function lookAgain(file: AlertFile, world: Needs, wantedMs = Infinity): Promise<void> {
  const { clock, db, queues } = world;
  const nowMs = clock.nowMs();
  const usualMs = nextLookMs(file, nowMs);
  const dueMs = Math.min(usualMs, wantedMs);
  const commit = await db.commit([markLookedAt(file, { dueMs, floor: file.floor }, nowMs)]);
  if (commit.ok && dueMs < usualMs) {
    await queues.send('file-care', [careMessage({ ...file, dueMs })]);
  }
}
