import { SECOND_MS } from '../shared/units.ts';
import { intervalMs, isLate, type Pace, type Paced } from '../webhooks/pace.ts';

/** A worker waits no longer than this for its first slot: its time costs money. */
export const WAIT_MS_MAX = 2 * SECOND_MS;
export const BATCH_MAX = 25;

/** Slots that a worker has taken and leaves to the next one. They are void in another pace. */
export interface KeptSlots {
  readonly slotsMs: readonly number[];
  readonly version: number;
}

/** Slots to use now. */
export interface TakenSlots extends KeptSlots {
  /** Until when the first of them may be used, where that is sooner than their pace allows. */
  readonly lastMs?: number | undefined;
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
      /** Taken for the batch after this one. */
      readonly kept: KeptSlots;
    }
  | { readonly kind: 'later'; readonly atMs: number; readonly kept?: KeptSlots | undefined };

/** How many users are sent at a time: as many as the endpoint takes in two seconds. */
export function batchSize({ perSecond }: Pick<Paced, 'perSecond'>): number {
  if (perSecond === undefined) return BATCH_MAX;
  return Math.min(BATCH_MAX, Math.max(1, Math.floor(2 * perSecond)));
}

/** What a batch is to be taken of, and how many users there are still. */
interface Batch {
  readonly pace: Pace;
  readonly perSecond: number | undefined;
  readonly nowMs: number;
  readonly wanted: number;
}

/** Two full batches, for one write, where nobody has to wait for that; else the one. */
export function withNext(size: number, { pace, perSecond, nowMs, wanted }: Batch): number {
  if (perSecond === undefined || size < BATCH_MAX || wanted < 2 * BATCH_MAX) return size;
  const fromMs = Math.max((pace.tatUs ?? 0) / 1_000, nowMs);
  return fromMs + 2 * size * intervalMs(perSecond) - nowMs <= WAIT_MS_MAX ? 2 * size : size;
}

/** What a worker brings along. */
export interface TurnOrder {
  readonly count: number;
  readonly kept: KeptSlots;
  /** The file, where it has a limit of its own. */
  readonly own?: OwnPaced | undefined;
}

/** A file with a limit of its own, which as many blocks at a time share. */
export interface OwnPaced extends Paced {
  readonly perSecond: number;
  readonly blocks: number;
}

/** Whether these slots can be used, by the pace of the endpoint and the present rate. */
export function areKept(
  { slotsMs: [firstMs], version }: KeptSlots,
  { version: current, blockedUntilMs = 0 }: Pace,
  { perSecond, nowMs }: { readonly perSecond: number | undefined; readonly nowMs: number },
): boolean {
  if (firstMs === undefined || perSecond === undefined || version < current) return false;
  return blockedUntilMs <= nowMs && !isLate(firstMs, nowMs, perSecond);
}
