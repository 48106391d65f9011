import type { World } from '../shared/world.ts';
import { isLate } from './pace.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { takeSlots } from './take-slots.ts';

/** After a block not all senders of an endpoint come at once, but over a fifth of its length. */
const SPREAD = 0.2;

/**
 * When to send: now, later, or at the slot that is reserved already, unless that is missed or the
 * endpoint is blocked. Every send of a limited endpoint has a slot of its own.
 */
export async function chooseSlot(
  { endpoint, pace }: KnownEndpoint,
  reservedMs: number | undefined,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<number> {
  const nowMs = world.clock.nowMs();
  const { perSecond } = endpoint;
  const blockedMs = (pace.blockedUntilMs ?? 0) - nowMs;
  if (perSecond === undefined) {
    if (blockedMs <= 0) return nowMs;
    return Math.ceil(nowMs + blockedMs * (1 + SPREAD * world.ids.random()));
  }
  const isUsable =
    reservedMs !== undefined && blockedMs <= 0 && !isLate(reservedMs, nowMs, perSecond);
  if (isUsable) return reservedMs;
  const { slotsMs } = await takeSlots(world, endpoint, 1);
  return slotsMs[0] ?? nowMs;
}
