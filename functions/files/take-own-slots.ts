import type { World } from '../shared/world.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { intervalMs } from '../webhooks/pace.ts';
import { type KnownPace, takeKnownSlots } from '../webhooks/take-slots.ts';
import { batchSize, type KeptSlots, type OwnPaced, WAIT_MS_MAX } from './turn.ts';

/** A slot of the endpoint's is used no later than this by a file that is slower itself. */
const SPREAD_MS_MAX = 350;

/** An endpoint that takes more than the file wants, and how much; undefined is without a limit. */
interface Faster extends KnownPace {
  readonly perSecond: number | undefined;
}

/** Slots that are taken, or when the file can have some. */
export type OwnSlots = KeptSlots | { readonly freeMs: number };

/**
 * Takes slots of the file's own pace, which all its blocks and its retries share. Where the
 * endpoint has a limit as well, they lie at slots of that, or shortly after. None is taken before
 * the file is free: whoever is paused meanwhile has then taken nothing that others wait for.
 */
export async function takeOwnSlots(
  world: Pick<World, 'clock' | 'db'>,
  faster: Faster,
  { count, own }: { readonly count: number; readonly own: OwnPaced },
): Promise<OwnSlots> {
  const { clock } = world;
  const pace = await findPace(world.db, own);
  const freeMs = Math.ceil((pace.tatUs ?? 0) / 1_000);
  const aheadMs = freeMs - clock.nowMs();
  if (aheadMs > WAIT_MS_MAX) return { freeMs };
  const known = { endpoint: own, pace };
  if (faster.perSecond === undefined) {
    return takeKnownSlots(world, known, Math.min(count, sizeOf(own)));
  }
  if (aheadMs > 0) await clock.sleep(aheadMs);
  const theirs = await takeKnownSlots(world, faster, Math.min(count, sizeBeside(own)));
  const [fromMs = clock.nowMs()] = theirs.slotsMs;
  const { slotsMs } = await takeKnownSlots(world, { ...known, fromMs }, theirs.slotsMs.length);
  const [firstMs = fromMs] = slotsMs;
  // Others of the file were quicker. These slots are over when it is free again.
  if (firstMs - fromMs > SPREAD_MS_MAX) return { freeMs: firstMs };
  return { slotsMs, version: theirs.version };
}

/** As many as all blocks together can take without waiting for each other. */
function sizeOf(own: OwnPaced): number {
  return batchSize({ perSecond: own.perSecond / own.blocks });
}

/** The same, in the time for which a slot of the endpoint's can wait. */
function sizeBeside({ perSecond, blocks }: OwnPaced): number {
  return 1 + Math.floor(SPREAD_MS_MAX / intervalMs(perSecond / blocks));
}
