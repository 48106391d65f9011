import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { findPace } from '../webhooks/pace.store.ts';
import {
  intervalMs,
  isLate,
  isOverrun,
  lastUseMs,
  limitOf,
  type Pace,
  rateAt,
} from '../webhooks/pace.ts';
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
 * The limit of a file's own, where that is below its endpoint's: as much of it as one of the
 * blocks gets that are under way at a time, and when the next user of this one may be alerted.
 */
export interface OwnPace {
  readonly perSecond: number;
  readonly fromMs: number;
}

/**
 * When to send the next users, one slot each; or, where that is too far away to wait for, from
 * when on, and which slots are kept for then.
 */
export type Turn =
  | {
      readonly kind: 'now';
      readonly slotsMs: readonly number[];
      /** Until when the first of them may be used; absent without a limit. */
      readonly lastMs?: number | undefined;
      /** When the file's own limit lets the next user be alerted, if it has one. */
      readonly ownFromMs?: number;
      /** Taken for the batch after this one. */
      readonly kept: KeptSlots;
    }
  | { readonly kind: 'later'; readonly atMs: number; readonly kept?: KeptSlots };

/** How many users are sent at a time: as many as the endpoint takes in two seconds. */
export function batchSize({ perSecond }: Pick<Endpoint, 'perSecond'>): number {
  if (perSecond === undefined) return BATCH_MAX;
  return Math.min(BATCH_MAX, Math.max(1, Math.floor(2 * perSecond)));
}

/** A slot of the endpoint's is used no later than this by a file that is slower itself. */
const SPREAD_MS_MAX = 350;

/** As many as come within the time for which a worker waits, or for which a slot can wait. */
function ownBatchSize({ perSecond }: OwnPace, limit: number | undefined): number {
  if (limit === undefined) return batchSize({ perSecond });
  return 1 + Math.floor(SPREAD_MS_MAX / intervalMs(perSecond));
}

/** What a worker brings along. */
export interface TurnOrder {
  readonly count: number;
  readonly kept: KeptSlots;
  readonly own?: OwnPace | undefined;
}

/**
 * Takes up to `count` slots of the endpoint's pace, fewer while its receiver bears less than its
 * limit; or uses those that were kept, if they are still in time and no block is in their way.
 */
export async function takeTurn(
  world: Pick<World, 'clock' | 'db'>,
  endpoint: Endpoint,
  { count, kept, own }: TurnOrder,
): Promise<Turn> {
  const pace = await findPace(world.db, endpoint);
  const nowMs = world.clock.nowMs();
  if (own && own.fromMs - nowMs > WAIT_MS_MAX) return { kind: 'later', atMs: own.fromMs };
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const { blockedUntilMs = 0 } = pace;
  // Without a limit no slot is reserved, so there is none to keep.
  if (perSecond === undefined && blockedUntilMs > nowMs) {
    return { kind: 'later', atMs: blockedUntilMs };
  }
  // A slot that is taken now is near; what is taken must be sent when the file may.
  if (own && perSecond !== undefined) await world.clock.sleep(Math.max(0, own.fromMs - nowMs));
  const ownMost = own ? ownBatchSize(own, perSecond) : Infinity;
  const most = Math.min(count, batchSize({ perSecond }), ownMost);
  const taken = areKept(kept, pace, { perSecond, nowMs: world.clock.nowMs() })
    ? kept
    : await takeKnownSlots(world, { endpoint, pace }, own ? most : withNext(most, pace, nowMs));
  const { version } = taken;
  // In the others something goes that waits for no backlog.
  const slotsMs = taken.slotsMs.filter((it) => !isOverrun(it, pace));
  const [firstMs] = slotsMs;
  if (firstMs === undefined) return { kind: 'later', atMs: taken.slotsMs.at(-1) ?? nowMs };
  if (firstMs - world.clock.nowMs() > WAIT_MS_MAX) {
    return { kind: 'later', atMs: firstMs, kept: { slotsMs, version } };
  }
  const rest = { slotsMs: slotsMs.slice(most), version };
  const turn = spread(slotsMs.slice(0, most), own);
  return { ...turn, lastMs: lastOf(turn.slotsMs, perSecond ?? own?.perSecond), kept: rest };

  /** One write for two full batches, where nobody has to wait for that. */
  function withNext(batch: number, { tatUs = 0 }: Pace, atMs: number): number {
    if (perSecond === undefined || batch < BATCH_MAX || count < 2 * BATCH_MAX) return batch;
    const endsMs = Math.max(tatUs / 1_000, atMs) + 2 * batch * intervalMs(perSecond);
    return endsMs - atMs <= WAIT_MS_MAX ? 2 * batch : batch;
  }
}

function lastOf([firstMs]: readonly number[], perSecond: number | undefined): number | undefined {
  return firstMs === undefined || perSecond === undefined
    ? undefined
    : lastUseMs(firstMs, perSecond);
}

/** No user before the file may alert the next one. */
function spread(slotsMs: readonly number[], own: OwnPace | undefined) {
  if (!own) return { kind: 'now', slotsMs } as const;
  const interval = intervalMs(own.perSecond);
  let fromMs = own.fromMs;
  const later = slotsMs.map((slotMs) => {
    const atMs = Math.max(slotMs, fromMs);
    fromMs = Math.ceil(atMs + interval);
    return atMs;
  });
  return { kind: 'now', slotsMs: later, ownFromMs: fromMs } as const;
}

function areKept(
  { slotsMs: [firstMs], version }: KeptSlots,
  { version: current, blockedUntilMs = 0 }: Pace,
  { perSecond, nowMs }: { readonly perSecond: number | undefined; readonly nowMs: number },
): boolean {
  if (firstMs === undefined || perSecond === undefined || version < current) return false;
  return blockedUntilMs <= nowMs && !isLate(firstMs, nowMs, perSecond);
}
