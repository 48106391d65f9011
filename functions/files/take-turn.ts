import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { isLate, limitOf, type Pace, rateAt } from '../webhooks/pace.ts';
import { takeKnownSlots } from '../webhooks/take-slots.ts';

/** A worker waits no longer than this for its first slot: its time costs money. */
export const WAIT_MS_MAX = 2 * SECOND_MS;
const BATCH_MAX = 25;

/** Slots that a worker has taken and leaves to the next one. They are void in another pace. */
export interface KeptSlots {
  readonly slotsMs: readonly number[];
  readonly version: number;
}

/**
 * When to send the next users, one slot each; or, where that is too far away to wait for, from
 * when on, and which slots are kept for then.
 */
export type Turn =
  | { readonly kind: 'now'; readonly slotsMs: readonly number[] }
  | { readonly kind: 'later'; readonly atMs: number; readonly kept?: KeptSlots };

/** How many users are sent at a time: as many as the endpoint takes in two seconds. */
export function batchSize({ perSecond }: Pick<Endpoint, 'perSecond'>): number {
  if (perSecond === undefined) return BATCH_MAX;
  return Math.min(BATCH_MAX, Math.max(1, Math.floor(2 * perSecond)));
}

/**
 * Takes up to `count` slots of the endpoint's pace, fewer while its receiver bears less than its
 * limit; or uses those that were kept, if they are still in time and no block is in their way.
 */
export async function takeTurn(
  world: Pick<World, 'clock' | 'db'>,
  endpoint: Endpoint,
  { count, kept }: { readonly count: number; readonly kept: KeptSlots },
): Promise<Turn> {
  const pace = await findPace(world.db, endpoint);
  const nowMs = world.clock.nowMs();
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0 } = pace;
  // Without a limit no slot is reserved, so there is none to keep.
  if (perSecond === undefined && blockedUntilMs > nowMs) {
    return { kind: 'later', atMs: blockedUntilMs };
  }
  const most = Math.min(count, batchSize({ perSecond }));
  const { slotsMs, version } = areKept(kept, pace, { perSecond, nowMs })
    ? { ...kept, slotsMs: kept.slotsMs.slice(0, most) }
    : await takeKnownSlots(world, { endpoint, pace }, most);
  const [firstMs = nowMs] = slotsMs;
  const isNear = firstMs - nowMs <= WAIT_MS_MAX;
  return isNear
    ? { kind: 'now', slotsMs }
    : { kind: 'later', atMs: firstMs, kept: { slotsMs, version } };
}

function areKept(
  { slotsMs: [firstMs], version }: KeptSlots,
  { version: current, blockedUntilMs = 0 }: Pace,
  { perSecond, nowMs }: { readonly perSecond: number | undefined; readonly nowMs: number },
): boolean {
  if (firstMs === undefined || perSecond === undefined || version < current) return false;
  return blockedUntilMs <= nowMs && !isLate(firstMs, nowMs, perSecond);
}
