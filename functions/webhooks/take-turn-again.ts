import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { filePaced, isLate, MISSED_MAX } from './pace.ts';
import { takeSlots } from './take-slots.ts';
import { isInLastDay } from './waiting.ts';

/**
 * The delivery with another time by the pace of its file, where it comes too late for the one that
 * it had: after an outage all of those would go at once. Undefined where it goes now.
 */
export async function takeTurnAgain(
  delivery: Delivery,
  world: Pick<World, 'clock' | 'db'>,
): Promise<Delivery | undefined> {
  const { tenantId, alert, dueMs = 0, filePerSecond, missed = 0, urgent } = delivery;
  if (!alert || filePerSecond === undefined || urgent || missed >= MISSED_MAX) return undefined;
  if (!isLate(dueMs, world.clock.nowMs(), filePerSecond)) return undefined;
  const { fileId } = alert.origin;
  const { slotsMs } = await takeSlots(world, filePaced({ tenantId, fileId }, filePerSecond), 1);
  const [slotMs = dueMs] = slotsMs;
  // Its record would end before.
  if (isInLastDay(delivery, slotMs)) return undefined;
  return { ...delivery, dueMs: slotMs, missed: missed + 1 };
}
