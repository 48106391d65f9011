import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { isLate } from '../webhooks/pace.ts';
import { type Slots, takeSlots } from '../webhooks/take-slots.ts';

/** A worker waits no longer than this for its first slot: its time costs money. */
export const WAIT_MS_MAX = 2 * SECOND_MS;
const BATCH_MAX = 25;

/**
 * When to send the next users, one slot each; or, where that is too far away to wait for, from
 * when on, and which slots are kept for then.
 */
export type Turn =
  | { readonly kind: 'now'; readonly slotsMs: readonly number[] }
  | { readonly kind: 'later'; readonly atMs: number; readonly slotsMs: readonly number[] };

/** How many users are sent at a time: as many as the endpoint takes in two seconds. */
export function batchSize({ perSecond }: Pick<Endpoint, 'perSecond'>): number {
  if (perSecond === undefined) return BATCH_MAX;
  return Math.min(BATCH_MAX, Math.max(1, Math.floor(2 * perSecond)));
}

/** Takes `count` slots of the endpoint's pace, or uses those that were kept, if still in time. */
export async function takeTurn(
  world: Pick<World, 'clock' | 'db'>,
  endpoint: Endpoint,
  { count, kept }: { readonly count: number; readonly kept: readonly number[] },
): Promise<Turn> {
  const { perSecond } = endpoint;
  const isKept = perSecond !== undefined && isInTime(kept, world.clock.nowMs(), perSecond);
  const { slotsMs, blockedUntilMs = 0 }: Slots = isKept
    ? { slotsMs: kept.slice(0, count) }
    : await takeSlots(world, endpoint, count);

  const nowMs = world.clock.nowMs();
  // Without a limit no slot was reserved, so there is none to keep.
  if (perSecond === undefined && blockedUntilMs > nowMs) {
    return { kind: 'later', atMs: blockedUntilMs, slotsMs: [] };
  }
  const firstMs = slotsMs[0] ?? nowMs;
  const isNear = firstMs - nowMs <= WAIT_MS_MAX;
  return isNear ? { kind: 'now', slotsMs } : { kind: 'later', atMs: firstMs, slotsMs };
}

function isInTime([firstMs]: readonly number[], nowMs: number, perSecond: number): boolean {
  return firstMs !== undefined && !isLate(firstMs, nowMs, perSecond);
}
