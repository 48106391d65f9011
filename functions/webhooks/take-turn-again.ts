import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { filePaced, lastUseMs, MISSED_MAX } from './pace.ts';
import { takeSlots } from './take-slots.ts';
import { isInLastDay } from './waiting.ts';

/** Until when a delivery may use the time that it has by the pace of its file, if it has one. */
export function lastTurnMs(delivery: Delivery): number | undefined {
  const { alert, dueMs = 0, filePerSecond, missed = 0, urgent } = delivery;
  if (!alert || filePerSecond === undefined || urgent || missed >= MISSED_MAX) return undefined;
  return lastUseMs(dueMs, filePerSecond);
}

/**
 * The delivery with another time by the pace of its file, where it comes too late for the one that
 * it had: after an outage all of those would go at once. Undefined where it goes now.
 */
export async function takeTurnAgain(
  delivery: Delivery,
  world: Pick<World, 'clock' | 'db'>,
): Promise<Delivery | undefined> {
  const { tenantId, alert, filePerSecond, missed = 0 } = delivery;
  if (!alert || filePerSecond === undefined) return undefined;
  if (world.clock.nowMs() <= (lastTurnMs(delivery) ?? Infinity)) return undefined;
  const { fileId } = alert.origin;
  const { slotsMs } = await takeSlots(world, filePaced({ tenantId, fileId }, filePerSecond), 1);
  const [slotMs = 0] = slotsMs;
  // Its record would end before.
  if (isInLastDay(delivery, slotMs)) return undefined;
  return { ...delivery, dueMs: slotMs, missed: missed + 1 };
}
