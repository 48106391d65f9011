import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { saveDelivery } from '../webhooks/delivery.store.ts';
import { type Delivery, retryByHand } from '../webhooks/delivery.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { sendAllNext } from '../webhooks/settle-delivery.ts';
import { type Slots, takeSlots } from '../webhooks/take-slots.ts';
import { wait } from '../webhooks/waiting.ts';
import { findBlock, saveReopened } from './block.store.ts';
import { type Block, placesToResend, withReopened } from './block.ts';
import { commitOutcomes } from './commit-outcomes.ts';
import type { AlertFile } from './file.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import { type BlockUser, readBlockUsers } from './read-block-users.ts';
import { deliveryOf } from './send-alert.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** Users whose deliveries are stored in one transaction, with the block and the file's counts. */
const AT_ONCE = 25;
/** Notices of outcomes may refuse a commit; whoever meets so many comes back later. */
const REFUSALS_MAX = 8;
const NO_SLOTS: Slots = { slotsMs: [], version: 0 };

/** A block of a file that is sent again. */
export interface BlockAgain {
  readonly file: AlertFile;
  readonly endpoint: Endpoint;
  readonly number: number;
}

/**
 * Sends the alert again to every user of the block who failed or is uncertain: a delivery is
 * stored together with its user being pending again, so that a worker that dies leaves nobody who
 * gets it twice. False where a worker has the block in hand, or outcomes come in too fast: then
 * no slot has been taken in vain, and the rest is for another time. False also when the file is
 * not delivering any more.
 */
export async function sendBlockAgain(order: BlockAgain, world: Needs): Promise<boolean> {
  const { file, number } = order;
  const name = { tenantId: file.tenantId, fileId: file.id };
  let users: readonly BlockUser[] | undefined;
  let spare = NO_SLOTS;
  for (let refusals = 0; refusals < REFUSALS_MAX; ) {
    const block = await findBlock(world.db, name, number);
    const places = block ? placesToResend(block, file.retries ?? 0).slice(0, AT_ONCE) : [];
    if (!block || places.length === 0) return true;
    if (block.token !== undefined) return false;
    users ??= await readBlockUsers(world.bucket, file, number);
    const batch = { ...order, block, users, places };
    const again = await deliveriesOf(batch, world);
    if (spare.slotsMs.length < again.length) {
      spare = await takeSlots(world, order.endpoint, again.length);
    }
    if (await sendAgain({ ...batch, again, slots: spare }, world)) spare = NO_SLOTS;
    else refusals += 1;
  }
  return false;
}

interface Batch extends BlockAgain {
  readonly block: Block;
  readonly users: readonly BlockUser[];
  readonly places: readonly number[];
}

/** A delivery as it was read, and with a full plan of attempts. */
interface Again {
  readonly before: Delivery;
  readonly after: Delivery;
}

/** Of those at these places whose alert is not on its way already. */
async function deliveriesOf(batch: Batch, { clock, db }: Needs): Promise<Again[]> {
  const { file, endpoint, block, users, places } = batch;
  const found = await findAlertDeliveries(db, file, { users, places });
  const nowMs = clock.nowMs();
  return places.flatMap((place, i) => {
    const user = users[place];
    if (!user) throw new Error(`block ${block.number} of ${file.id} has no user ${place}`);
    const alert = { block: block.number, place, user };
    const before = found[i] ?? { ...deliveryOf(file, alert, nowMs), unsure: true };
    const after = retryOf(before, endpoint, nowMs);
    return after ? [{ before, after }] : [];
  });
}

/** Undefined for one that is on its way already, or has arrived: its outcome is counted yet. */
function retryOf(before: Delivery, endpoint: Endpoint, nowMs: number): Delivery | undefined {
  const isNew = before.token === '';
  if (!isNew && !['exhausted', 'uncertain', 'expired'].includes(before.status)) return undefined;
  try {
    return retryByHand(before, endpoint, { force: false, nowMs });
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** False when anybody has stored an outcome, or changed a delivery or the file's state. */
async function sendAgain(
  batch: Batch & { readonly again: readonly Again[]; readonly slots: Slots },
  world: Needs,
): Promise<boolean> {
  const { file, block, places, again, slots } = batch;
  const { clock, ids } = world;
  const nowMs = clock.nowMs();
  const sent = again.map(({ before, after }, i) => {
    const slot = { atMs: slots.slotsMs[i] ?? nowMs, version: slots.version };
    return { before, after: { ...wait(after, slot, nowMs), token: ids.next('req') } };
  });
  const reopened = withReopened(block, places, file.retries ?? 0);
  const counting = {
    change: reopened.change,
    blockWrite: saveReopened(file, block, reopened.block),
    // Who pauses or cancels it meanwhile wants nobody to be begun with any more.
    onlyIn: 'delivering' as const,
    also: sent.map(({ before, after }) => saveDelivery(after, before.token || undefined, nowMs)),
  };
  const name = { tenantId: file.tenantId, fileId: file.id };
  if (!(await commitOutcomes(name, counting, world))) return false;
  await sendAllNext(
    sent.map(({ after }) => after),
    world,
  );
  return true;
}
