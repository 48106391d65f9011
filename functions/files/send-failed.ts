import { insertEvent } from '../events/event.store.ts';
import type { Receipt } from '../shared/aws/batch.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { eachBlock } from './block.store.ts';
import { placesToResend } from './block.ts';
import { careMessage } from './care-message.ts';
import { changeFile } from './change-file.ts';
import { findFile, saveFile, settleFile } from './file.store.ts';
import { type AlertFile, NO_OUTCOMES, withOutcomes } from './file.ts';
import { type FileAction, pauseFile } from './file-action.ts';
import { isRetryKept } from './file-looks.ts';
import { fileEvent } from './file-view.ts';
import { sendBlockAgain } from './send-block-again.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** Time for one block: a thousand records, each read, written and told of. */
const RESERVE_MS = 20 * SECOND_MS;

/**
 * Sends the alert again to every user of the file who failed or is uncertain, each as a delivery of
 * its own with a full plan of attempts, at the pace of the endpoint or that of the file. Safe to
 * repeat: one retry sends nobody's alert twice. Blocks that a worker has in hand are left to the
 * next look, and all that are left when the file is paused or cancelled to whoever resumes it.
 */
export async function sendFailed(
  file: AlertFile,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const { clock, db } = world;
  const endpoint = await findEndpoint(db, file.tenantId, file.endpointId);
  if (!endpoint || !isRetryKept(file, clock.nowMs())) return finish(file, world);
  // A paused one is asked again with the next look at the file.
  if (endpoint.status !== 'active') return stop(file, endpoint, world);
  const name = { tenantId: file.tenantId, fileId: file.id };
  let left: number | undefined;
  for await (const block of eachBlock(db, name, file.resendFrom ?? 0)) {
    const { number } = block;
    const isLate = clock.nowMs() > deadlineMs - RESERVE_MS;
    if (isLate) return goOn(file, { from: left ?? number, soon: true }, world);
    if (placesToResend(block, file.retries ?? 0).length === 0) continue;
    if (await sendBlockAgain({ file, endpoint, number }, world)) continue;
    if ((await findFile(db, name))?.state !== 'delivering') return;
    left ??= number;
  }
  if (left === undefined) await finish(file, world);
  else await goOn(file, { from: left, soon: false }, world);
}

/** Nobody knows whether a disabled endpoint ever takes anything again: that is up to a person. */
async function stop(file: AlertFile, { status }: Endpoint, world: Needs): Promise<void> {
  if (status !== 'disabled') return;
  const pause: FileAction = (it, nowMs) =>
    it.state === 'delivering' ? pauseFile(it, nowMs, 'endpoint_disabled') : undefined;
  await changeFile({ tenantId: file.tenantId, fileId: file.id }, pause, world);
}

/** Refused when the state of the file has changed: then that decides. */
async function goOn(
  file: AlertFile,
  { from, soon }: { readonly from: number; readonly soon: boolean },
  world: Needs,
): Promise<void> {
  // Whoever has got nowhere waits for the next look, which is noted already.
  if (from === file.resendFrom) return;
  const { clock, db, queues } = world;
  const seen = await findFile(db, { tenantId: file.tenantId, fileId: file.id });
  if (seen?.resendFrom === undefined) return;
  const nowMs = clock.nowMs();
  const dueMs = soon ? nowMs : seen.dueMs;
  const next = { ...seen, resendFrom: from, version: seen.version + 1, dueMs };
  const commit = await db.commit([saveFile(seen, next, nowMs)]);
  if (commit.ok && soon) await queues.send('file-care', [careMessage(next)]);
}

/** Everybody is on the way; whoever came to an end meanwhile may have been the last. */
async function finish(file: AlertFile, { clock, db, ids, log }: Needs): Promise<void> {
  const seen = await findFile(db, { tenantId: file.tenantId, fileId: file.id });
  if (seen?.state !== 'delivering' || seen.resendFrom === undefined) return;
  const nowMs = clock.nowMs();
  const next = withOutcomes({ ...seen, resendFrom: undefined }, NO_OUTCOMES, nowMs);
  const event = fileEvent(next, 'file.completed', { id: ids.next('evt'), nowMs });
  const told = next.state === 'completed' ? [insertEvent(event)] : [];
  const commit = await db.commit([settleFile(seen, next, nowMs), ...told]);
  log.info('file.sent-again', { tenant: file.tenantId, file: file.id, stored: commit.ok });
}
