import * as z from 'zod';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findDelivery } from '../webhooks/delivery.store.ts';
import { nameOfId } from '../webhooks/delivery-name.ts';
import { hasBit } from './bitmap.ts';
import { findBlock } from './block.store.ts';
import { outcomeAt } from './block.ts';
import { findFile } from './file.store.ts';
import { noteRetried, outcomeOfDelivery, settleAlerts } from './settle-alerts.ts';

/** An alert that had a delivery of its own came to its end. */
export const SettleNotice = z.object({
  tenant: z.string(),
  file: z.string(),
  block: z.int(),
  index: z.int(),
  delivery: z.string(),
  /** How often it was put off. */
  waits: z.int().optional(),
});

type Notice = z.output<typeof SettleNotice>;
type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** A quick retry may be at its end before the batch is stored that it comes from. */
const EARLY_NOTICE_MS = 2 * SECOND_MS;
/** A worker that died before it stored the batch has the block for another minute. */
const EARLY_NOTICE_MS_MAX = MINUTE_MS;

/** The last notice of each file that this instance is at work on. */
const underWay = new Map<string, Promise<void>>();

/**
 * Counts the outcome, which is read from the delivery itself, once. Safe to repeat. The notices
 * of one file wait for each other: side by side they would only refuse each other's writes.
 */
export async function takeNotice(notice: Notice, world: Needs): Promise<void> {
  const before = underWay.get(notice.file) ?? Promise.resolve();
  const mine = before.catch(() => undefined).then(() => settleOne(notice, world));
  underWay.set(notice.file, mine);
  try {
    await mine;
  } finally {
    if (underWay.get(notice.file) === mine) underWay.delete(notice.file);
  }
}

async function settleOne(notice: Notice, world: Needs): Promise<void> {
  const { tenant: tenantId, file: fileId, index: place } = notice;
  const file = await findFile(world.db, { tenantId, fileId });
  const block = await findBlock(world.db, { tenantId, fileId }, notice.block);
  if (!file || !block) return;

  const isNoted = hasBit(block.retried, place);
  // With a result of its own, the alert was sent once more by a worker after a crash.
  if (!isNoted && (block.finished || outcomeAt(block, place) !== 'pending')) return;
  const delivery = await findDelivery(world.db, nameOfId(tenantId, notice.delivery));
  if (!delivery) return;
  const noted = isNoted ? block : await noteRetried(file, { block, places: [place] }, world);
  if (!noted) return putOff(notice, world);
  const outcome = outcomeOfDelivery(delivery);
  if (outcome) await settleAlerts(file, { block: noted, settlements: [{ place, outcome }] }, world);
}

/** Until whoever has the block has stored it or is dead, longer each time. */
async function putOff(notice: Notice, { clock, queues }: Needs): Promise<void> {
  const { tenant: group, waits = 0 } = notice;
  const waitMs = Math.min(EARLY_NOTICE_MS * 2 ** waits, EARLY_NOTICE_MS_MAX);
  const body = { v: 1, ...notice, waits: waits + 1 };
  await queues.send('file-care', [{ body, atMs: clock.nowMs() + waitMs, group }]);
}
