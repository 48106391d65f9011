import * as z from 'zod';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findDelivery } from '../webhooks/delivery.store.ts';
import { nameOfId } from '../webhooks/delivery-name.ts';
import { hasBit } from './bitmap.ts';
import { findBlock } from './block.store.ts';
import { outcomeAt } from './block.ts';
import { findFile } from './file.store.ts';
import { outcomeOfDelivery, settleAlerts } from './settle-alerts.ts';

/** An alert that had a delivery of its own came to its end. */
export const SettleNotice = z.object({
  tenant: z.string(),
  file: z.string(),
  block: z.int(),
  index: z.int(),
  delivery: z.string(),
});

type Notice = z.output<typeof SettleNotice>;
type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** A quick retry may be at its end before the batch is stored that it comes from. */
const EARLY_NOTICE_MS = 2 * SECOND_MS;

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

  if (!hasBit(block.retried, place)) {
    // With a result of its own, the alert was sent once more by a worker after a crash.
    if (block.finished || outcomeAt(block, place) !== 'pending') return;
    const atMs = world.clock.nowMs() + EARLY_NOTICE_MS;
    await world.queues.send('file-care', [{ body: { v: 1, ...notice }, atMs, group: tenantId }]);
    return;
  }
  const delivery = await findDelivery(world.db, nameOfId(tenantId, notice.delivery));
  const outcome = outcomeOfDelivery(delivery);
  if (outcome) await settleAlerts(file, { block, settlements: [{ place, outcome }] }, world);
}
