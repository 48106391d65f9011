import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import type { World, Write } from '../shared/world.ts';
import { saveDelivery } from '../webhooks/delivery.store.ts';
import { type Delivery, retryByHand } from '../webhooks/delivery.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import type { Slot } from '../webhooks/pace.ts';
import { sendAllNext } from '../webhooks/settle-delivery.ts';
import type { Slots } from '../webhooks/take-slots.ts';
import { wait } from '../webhooks/waiting.ts';
import { findBlock, saveReopened, toBlock } from './block.store.ts';
import { type Block, placesToResend, withReopened } from './block.ts';
import { addReopened, findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { isRetryKept } from './file-looks.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import { type BlockUser, readBlockUsers } from './read-block-users.ts';
import { deliveryOf } from './send-alert.ts';
import { NO_SLOTS, takeResendTimes } from './take-resend-times.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** Users whose deliveries are stored in one transaction, with the block and the file's counts. */
const AT_ONCE = 25;
/** Whoever is refused so often for another reason than notices of outcomes comes back later. */
const REFUSALS_MAX = 8;
/** Of those many may come in each second, and a refused commit costs what it would have written. */
const NOTICES_MAX = 20;
/** While their transactions are in the way. */
const PAUSE = { baseMs: 5, capMs: 100 };

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
 * not delivering any more. Whose turn would come too late to be kept stays as it is.
 */
export async function sendBlockAgain(order: BlockAgain, world: Needs): Promise<boolean> {
  const { endpoint, number } = order;
  const name = { tenantId: order.file.tenantId, fileId: order.file.id };
  let users: readonly BlockUser[] | undefined;
  let spare = NO_SLOTS;
  for (let refusals = 0; refusals < REFUSALS_MAX; ) {
    const file = await findFile(world.db, name);
    if (file?.state !== 'delivering') return false;
    const block = await findBlock(world.db, name, number);
    const places = block ? placesToResend(block, file.retries ?? 0).slice(0, AT_ONCE) : [];
    if (!block || places.length === 0) return true;
    if (block.token !== undefined) return false;
    users ??= await readBlockUsers(world.bucket, file, number);
    const batch = { file, endpoint, number, block, users, places };
    const again = await deliveriesOf(batch, world);
    const slots = await takeResendTimes({ file, endpoint, count: again.length, spare }, world);
    if (isTooLate(file, slots)) return true;
    if (await sendAgain({ ...batch, again, slots }, world)) spare = NO_SLOTS;
    else [spare, refusals] = [slots, refusals + 1];
  }
  return false;
}

/** By the file's own rate its turn would come when the alert is kept no longer. */
function isTooLate(file: AlertFile, { slotsMs: [firstMs = 0] }: Slots): boolean {
  return file.ratePerSecond !== undefined && !isRetryKept(file, firstMs);
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

/** False when anybody has changed a delivery or the file's state, or always stores outcomes. */
async function sendAgain(
  batch: Batch & { readonly again: readonly Again[]; readonly slots: Slots },
  world: Needs,
): Promise<boolean> {
  const { file, again, slots } = batch;
  const nowMs = world.clock.nowMs();
  const sent = again.map(({ before, after }, i) => {
    const slot = { atMs: slots.slotsMs[i] ?? nowMs, version: slots.version };
    const timed = timedBy(slot, { file, delivery: after }, nowMs);
    return { before, after: { ...timed, token: world.ids.next('req') } };
  });
  const writes = sent.map(({ before, after }) => {
    return saveDelivery(after, before.token || undefined, nowMs);
  });
  if (!(await reopen(batch, writes, world))) return false;
  await sendAllNext(
    sent.map(({ after }) => after),
    world,
  );
  return true;
}

/** An outcome of others that comes in meanwhile refuses the commit and changes nothing here. */
async function reopen(
  { file, block, places }: Batch,
  writes: readonly Write[],
  { clock, db, ids }: Needs,
): Promise<boolean> {
  const retry = file.retries ?? 0;
  const name = { tenantId: file.tenantId, fileId: file.id };
  let seen = block;
  for (let notices = 0; notices < NOTICES_MAX; notices += 1) {
    const reopened = withReopened(seen, places, retry);
    const commit = await db.commit([
      saveReopened(file, seen, reopened.block),
      ...writes,
      // Who pauses or cancels it meanwhile wants nobody to be begun with any more.
      addReopened(file, reopened.change),
    ]);
    if (commit.ok) return true;
    const [refused, ...others] = commit.reasons;
    if (others.some((it) => it.code === 'condition')) return false;
    const isJudged = refused?.code === 'condition';
    if (!isJudged) await clock.sleep(fullJitterMs(notices, PAUSE, ids.random()));
    const now = refused?.item ? toBlock(refused.item) : await findBlock(db, name, block.number);
    const left = new Set(now && now.token === undefined ? placesToResend(now, retry) : []);
    if (!now || !places.every((it) => left.has(it))) return false;
    seen = now;
  }
  return false;
}

/** By the file's own pace it is like any retry: it takes a slot of its endpoint's when due. */
function timedBy(
  slot: Slot,
  { file, delivery }: { readonly file: AlertFile; readonly delivery: Delivery },
  nowMs: number,
): Delivery {
  const { ratePerSecond: filePerSecond } = file;
  if (filePerSecond === undefined) return wait(delivery, slot, nowMs);
  return { ...delivery, dueMs: slot.atMs, filePerSecond };
}
