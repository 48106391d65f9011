import type { World } from '../shared/world.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { graceMs, intervalMs, type Pace } from '../webhooks/pace.ts';
import { type KnownPace, takeKnownSlots } from '../webhooks/take-slots.ts';
import {
  BATCH_MAX,
  batchSize,
  type KeptSlots,
  type OwnPaced,
  type TakenSlots,
  WAIT_MS_MAX,
  withNext,
} from './turn.ts';

/** Of the time for which a slot of the endpoint's can wait, what a slower file needs at most. */
const SPREAD_SHARE = 0.6;
/** What may come on top of a wait. */
const SLACK_MS = 350;

/** An endpoint that takes more than the file wants, and how much; undefined is without a limit. */
interface Faster extends KnownPace {
  readonly perSecond: number | undefined;
}

/** Slots to use, or when to ask again, and the slots of the endpoint's that are kept for then. */
export type OwnSlots =
  | TakenSlots
  | { readonly freeMs: number; readonly kept?: KeptSlots | undefined };

/** What a worker wants, and slots that it has already. */
interface OwnOrder {
  readonly count: number;
  readonly own: OwnPaced;
  readonly kept?: KeptSlots | undefined;
  /** Until when it waits for its file. */
  readonly untilMs?: number | undefined;
}

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/**
 * Takes slots of the file's own pace, which all its blocks and its retries share. Where the
 * endpoint has a limit as well, they lie at slots of that, or shortly after; while those are far
 * away they alone are taken.
 */
export async function takeOwnSlots(
  world: Needs,
  faster: Faster,
  order: OwnOrder,
): Promise<OwnSlots> {
  const { own, kept, count } = order;
  const nowMs = world.clock.nowMs();
  if (kept && faster.perSecond === undefined) return kept;
  const [keptMs = nowMs] = kept?.slotsMs ?? [];
  if (isFar(keptMs, nowMs)) return { freeMs: keptMs, kept };
  if (faster.perSecond !== undefined) return takeBeside(world, faster, order);

  const pace = await findPace(world.db, own);
  const freeMs = freeOf(pace, nowMs);
  if (freeMs - nowMs > WAIT_MS_MAX) return { freeMs };
  const { perSecond } = own;
  const size = Math.min(count, batchSize({ perSecond: perSecond / own.blocks }));
  const most = withNext(size, { pace, perSecond, nowMs, wanted: count });
  const { slotsMs } = await takeKnownSlots(world, { endpoint: own, pace }, most);
  return { slotsMs, version: faster.pace.version };
}

/** Those of its own at the endpoint's. Waits for the file where that is not free, two seconds. */
async function takeBeside(world: Needs, faster: Faster, order: OwnOrder): Promise<OwnSlots> {
  const { clock, db, ids } = world;
  const { own, kept } = order;
  const nowMs = clock.nowMs();
  const { untilMs = nowMs + WAIT_MS_MAX } = order;
  const pace = await findPace(db, own);
  const theirFreeMs = freeOf(faster.pace, nowMs);
  const fit = fitOf(own, faster);
  const size = sizeBeside(order, fit, isFar(theirFreeMs, nowMs));
  const spareMs = spareOf(size, fit);
  const lagMs = freeOf(pace, nowMs) - theirFreeMs;
  if (kept || lagMs <= spareMs) {
    const theirs = kept ?? (await takeKnownSlots(world, faster, size));
    return takeAt(world, theirs, { endpoint: own, pace, fit });
  }
  // A little earlier or later, so that not all blocks come that wait now.
  const freeMs = Math.ceil(nowMs + lagMs - spareMs * ids.random());
  if (freeMs > untilMs) return { freeMs };
  await clock.sleep(freeMs - nowMs);
  const known = { ...faster, pace: await findPace(db, faster.endpoint) };
  return takeBeside(world, known, { ...order, untilMs });
}

/** The file's own for the same times as those of the endpoint, if they are near and it is free. */
async function takeAt(
  world: Needs,
  theirs: KeptSlots,
  { endpoint, pace, fit }: KnownPace & { readonly fit: Fit },
): Promise<OwnSlots> {
  const nowMs = world.clock.nowMs();
  const [fromMs = nowMs] = theirs.slotsMs;
  if (isFar(fromMs, nowMs)) return { freeMs: fromMs, kept: theirs };
  const size = theirs.slotsMs.length;
  const lateMs = Math.ceil(fromMs + spareOf(size, fit));
  const freeMs = freeOf(pace, 0);
  // Others of the file were quicker. These slots are over when it is free again.
  if (freeMs > lateMs) return { freeMs };
  const { slotsMs } = await takeKnownSlots(world, { endpoint, pace, fromMs }, size);
  const [firstMs = fromMs] = slotsMs;
  if (firstMs > lateMs) return { freeMs: firstMs };
  // The last one comes latest behind the endpoint's.
  const lastMs = fromMs + fit.graceMs - (size - 1) * fit.behindMs;
  return { slotsMs, version: theirs.version, lastMs };
}

/** How the slots of a file go together with those of its endpoint. */
interface Fit {
  /** So much later than the endpoint's each further slot of the file is. */
  readonly behindMs: number;
  /** So long after its time a slot of the endpoint's may be used, by whomever. */
  readonly graceMs: number;
  /** So much of that a file takes for being slower. */
  readonly spreadMs: number;
}

function fitOf(own: OwnPaced, { perSecond = Infinity }: Faster): Fit {
  const grace = graceMs(perSecond);
  const behindMs = intervalMs(own.perSecond) - intervalMs(perSecond);
  return { behindMs, graceMs: grace, spreadMs: SPREAD_SHARE * grace };
}

/**
 * How many slots of the endpoint's a block takes, so that it can use all of them in time, and so
 * can another one right behind it. Those that are far away may follow each other for all blocks.
 */
function sizeBeside({ count, own }: OwnOrder, fit: Fit, areFar: boolean): number {
  const blocks = areFar ? own.blocks : Math.min(own.blocks, 2);
  const share = Math.floor((1 + fit.spreadMs / fit.behindMs) / blocks);
  return Math.min(count, BATCH_MAX, Math.max(1, share));
}

/** How much later than the endpoint's the first of so many slots of the file may be. */
function spareOf(size: number, { spreadMs, behindMs }: Fit): number {
  return spreadMs - (size - 1) * behindMs;
}

/** When the next slot of a pace is. */
function freeOf({ tatUs = 0, blockedUntilMs = 0 }: Pace, nowMs: number): number {
  return Math.max(nowMs, blockedUntilMs, Math.ceil(tatUs / 1_000));
}

/** Too far away to wait for, with what may come on top. */
function isFar(slotMs: number, nowMs: number): boolean {
  return slotMs - nowMs > WAIT_MS_MAX - SLACK_MS;
}
