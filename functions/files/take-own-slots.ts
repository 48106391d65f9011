import type { World } from '../shared/world.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { intervalMs, type Pace } from '../webhooks/pace.ts';
import { type KnownPace, takeKnownSlots } from '../webhooks/take-slots.ts';
import {
  BATCH_MAX,
  batchSize,
  type KeptSlots,
  type OwnPaced,
  WAIT_MS_MAX,
  withNext,
} from './turn.ts';

/** A slot of the endpoint's is used no later than this by a file that is slower itself. */
const SPREAD_MS_MAX = 350;

/** An endpoint that takes more than the file wants, and how much; undefined is without a limit. */
interface Faster extends KnownPace {
  readonly perSecond: number | undefined;
}

/** Slots to use, or when to ask again, and the slots of the endpoint's that are kept for then. */
export type OwnSlots =
  | KeptSlots
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
  const behindMs = behindEach(own, faster);
  const size = sizeBeside(order, behindMs, isFar(theirFreeMs, nowMs));
  const spareMs = spareOf(size, behindMs);
  const lagMs = freeOf(pace, nowMs) - theirFreeMs;
  if (kept || lagMs <= spareMs) {
    const theirs = kept ?? (await takeKnownSlots(world, faster, size));
    return takeAt(world, theirs, { endpoint: own, pace, behindMs });
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
  { endpoint, pace, behindMs }: KnownPace & { readonly behindMs: number },
): Promise<OwnSlots> {
  const nowMs = world.clock.nowMs();
  const [fromMs = nowMs] = theirs.slotsMs;
  if (isFar(fromMs, nowMs)) return { freeMs: fromMs, kept: theirs };
  const size = theirs.slotsMs.length;
  const lastMs = Math.ceil(fromMs + spareOf(size, behindMs));
  const freeMs = freeOf(pace, 0);
  // Others of the file were quicker. These slots are over when it is free again.
  if (freeMs > lastMs) return { freeMs };
  const { slotsMs } = await takeKnownSlots(world, { endpoint, pace, fromMs }, size);
  const [firstMs = fromMs] = slotsMs;
  return firstMs > lastMs ? { freeMs: firstMs } : { slotsMs, version: theirs.version };
}

/**
 * How many slots of the endpoint's a block takes, so that it can use all of them in time, and so
 * can another one right behind it. Those that are far away may follow each other for all blocks.
 */
function sizeBeside({ count, own }: OwnOrder, behindMs: number, areFar: boolean): number {
  const blocks = areFar ? own.blocks : Math.min(own.blocks, 2);
  const share = Math.floor((1 + SPREAD_MS_MAX / behindMs) / blocks);
  return Math.min(count, BATCH_MAX, Math.max(1, share));
}

/** How much later than the endpoint's the first of so many slots of the file may be. */
function spareOf(size: number, behindMs: number): number {
  return SPREAD_MS_MAX - (size - 1) * behindMs;
}

/** So much later than the endpoint's each further slot of the file is. */
function behindEach(own: OwnPaced, { perSecond }: Faster): number {
  return intervalMs(own.perSecond) - (perSecond === undefined ? 0 : intervalMs(perSecond));
}

/** When the next slot of a pace is. */
function freeOf({ tatUs = 0, blockedUntilMs = 0 }: Pace, nowMs: number): number {
  return Math.max(nowMs, blockedUntilMs, Math.ceil(tatUs / 1_000));
}

/** Too far away to wait for, with what may come on top. */
function isFar(slotMs: number, nowMs: number): boolean {
  return slotMs - nowMs > WAIT_MS_MAX - SPREAD_MS_MAX;
}
