import type { World } from '../shared/world.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { intervalMs } from '../webhooks/pace.ts';
import { type KnownPace, takeKnownSlots } from '../webhooks/take-slots.ts';
import { BATCH_MAX, batchSize, type KeptSlots, type OwnPaced, WAIT_MS_MAX } from './turn.ts';

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

/** What a worker wants, and slots of the endpoint's that it has already. */
interface OwnOrder {
  readonly count: number;
  readonly own: OwnPaced;
  readonly kept?: KeptSlots | undefined;
}

/**
 * Takes slots of the file's own pace, which all its blocks and its retries share. Where the
 * endpoint has a limit as well, they lie at slots of that, or shortly after; while those are far
 * away they alone are taken. None of the file's is taken before it is used: whoever is paused, or
 * waits for an endpoint that somebody changes meanwhile, keeps nobody from them.
 */
export async function takeOwnSlots(
  world: Pick<World, 'clock' | 'db'>,
  faster: Faster,
  { count, own, kept }: OwnOrder,
): Promise<OwnSlots> {
  const { clock } = world;
  const [keptMs] = kept?.slotsMs ?? [];
  if (keptMs !== undefined && isFar(keptMs, clock.nowMs())) return { freeMs: keptMs, kept };
  const pace = await findPace(world.db, own);
  const freeMs = Math.ceil((pace.tatUs ?? 0) / 1_000);
  const aheadMs = freeMs - clock.nowMs();
  if (aheadMs > WAIT_MS_MAX) return { freeMs };
  const known = { endpoint: own, pace };
  if (faster.perSecond === undefined) {
    return takeKnownSlots(world, known, Math.min(count, sizeOf(own)));
  }
  if (!kept && aheadMs > 0) await clock.sleep(aheadMs);
  const theirs = kept ?? (await takeKnownSlots(world, faster, Math.min(count, sizeBeside(own))));
  const [fromMs = clock.nowMs()] = theirs.slotsMs;
  if (isFar(fromMs, clock.nowMs())) return { freeMs: fromMs, kept: theirs };
  // Others of the file are quicker. These slots are over when it is free again.
  if (freeMs - fromMs > SPREAD_MS_MAX) return { freeMs };
  const size = Math.min(count, theirs.slotsMs.length);
  const { slotsMs } = await takeKnownSlots(world, { ...known, fromMs }, size);
  const [firstMs = fromMs] = slotsMs;
  if (firstMs - fromMs > SPREAD_MS_MAX) return { freeMs: firstMs };
  return { slotsMs, version: theirs.version };
}

/** Too far away to wait for, with what may come on top. */
function isFar(slotMs: number, nowMs: number): boolean {
  return slotMs - nowMs > WAIT_MS_MAX - SPREAD_MS_MAX;
}

/** As many as all blocks together can take without waiting for each other. */
function sizeOf(own: OwnPaced): number {
  return batchSize({ perSecond: own.perSecond / own.blocks });
}

/** The same, in the time for which a slot of the endpoint's can wait. */
function sizeBeside({ perSecond, blocks }: OwnPaced): number {
  return Math.min(BATCH_MAX, 1 + Math.floor(SPREAD_MS_MAX / intervalMs(perSecond / blocks)));
}
