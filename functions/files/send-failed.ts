import { insertEvent } from '../events/event.store.ts';
import type { Receipt } from '../shared/aws/batch.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type Delivery, newDelivery, retryByHand } from '../webhooks/delivery.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { saveStep } from '../webhooks/save-delivery.ts';
import { sendNext } from '../webhooks/settle-delivery.ts';
import { takeSlots } from '../webhooks/take-slots.ts';
import { wait } from '../webhooks/waiting.ts';
import { eachBlock, saveReopened } from './block.store.ts';
import { type Block, placesToResend, withReopened } from './block.ts';
import { careMessage } from './care-message.ts';
import { commitOutcomes } from './commit-outcomes.ts';
import { findFile, saveChange, settleFile } from './file.store.ts';
import { type AlertFile, NO_OUTCOMES, withOutcomes } from './file.ts';
import { fileEvent } from './file-view.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import { type BlockUser, readBlockUsers } from './read-block-users.ts';
import { deliveryOf } from './send-alert.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** Slots that are taken by one write. */
const AT_ONCE = 25;
/** Time for one block: a thousand records, each read, written and told of. */
const RESERVE_MS = 20 * SECOND_MS;

/**
 * Sends the alert again to every user of the file who failed or is uncertain, each as a delivery of
 * its own with a full plan of attempts, at the pace of the endpoint. A block's users are pending
 * again before the next block is looked at, so that a worker that dies repeats one block at most.
 */
export async function sendFailed(
  file: AlertFile,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const { clock, db } = world;
  const name = { tenantId: file.tenantId, fileId: file.id };
  const endpoint = await findEndpoint(db, file.tenantId, file.endpointId);
  if (endpoint?.status !== 'active') return finish(file, world);
  for await (const block of eachBlock(db, name, file.resendFrom ?? 0)) {
    if (clock.nowMs() > deadlineMs - RESERVE_MS) return goOn(file, block.number, world);
    const places = placesToResend(block);
    if (places.length === 0) continue;
    const users = await readBlockUsers(world.bucket, file, block.number);
    for (let from = 0; from < places.length; from += AT_ONCE) {
      const some = places.slice(from, from + AT_ONCE);
      await resend({ file, endpoint, block, users, places: some }, world);
    }
    const { block: after, change } = withReopened(block, places);
    const blockWrite = saveReopened(file, after);
    if (!(await commitOutcomes(name, { change, blockWrite }, world))) {
      return goOn(file, block.number, world);
    }
  }
  await finish(file, world);
}

interface Resending {
  readonly file: AlertFile;
  readonly endpoint: Endpoint;
  readonly block: Block;
  readonly users: readonly BlockUser[];
  readonly places: readonly number[];
}

async function resend(order: Resending, world: Needs): Promise<void> {
  const { file, endpoint, block, users, places } = order;
  const [found, slots] = await Promise.all([
    findAlertDeliveries(world.db, file, { users, places }),
    takeSlots(world, endpoint, places.length),
  ]);
  const { version } = slots;
  await Promise.all(
    places.map(async (place, i) => {
      const user = users[place];
      if (!user) throw new Error(`block ${block.number} of ${file.id} has no user ${place}`);
      const nowMs = world.clock.nowMs();
      const what = deliveryOf(file, { block: block.number, place, user });
      const before = found[i] ?? { ...newDelivery(what, nowMs), unsure: true };
      const again = retryOf(before, endpoint, nowMs);
      if (!again) return;
      const after = wait(again, { atMs: slots.slotsMs[i] ?? nowMs, version }, nowMs);
      const saved = await saveStep(world, { before, after });
      if (saved.won) await sendNext(saved.delivery, world);
    }),
  );
}

/** Undefined for one that is on its way already: the worker before this one has sent it. */
function retryOf(before: Delivery, endpoint: Endpoint, nowMs: number): Delivery | undefined {
  const isNew = before.token === '';
  if (!isNew && !['exhausted', 'uncertain', 'expired'].includes(before.status)) return undefined;
  try {
    return { ...retryByHand(before, endpoint, { force: false, nowMs }), urgent: undefined };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Refused when the state of the file has changed: then that decides. */
async function goOn(file: AlertFile, resendFrom: number, world: Needs): Promise<void> {
  const { clock, db, queues } = world;
  const seen = await findFile(db, { tenantId: file.tenantId, fileId: file.id });
  if (seen?.resendFrom === undefined) return;
  const nowMs = clock.nowMs();
  const next = { ...seen, resendFrom, version: seen.version + 1, dueMs: nowMs };
  const commit = await db.commit([saveChange(seen, next, nowMs)]);
  if (commit.ok) await queues.send('file-care', [careMessage(next)]);
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
