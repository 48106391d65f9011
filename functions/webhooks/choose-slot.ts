import type { World } from '../shared/world.ts';
import { findPace } from './pace.store.ts';
import { isLate, limitOf, rateAt, type Slot, spreadBlock } from './pace.ts';
import { KNOWN_MS } from './remember-endpoints.ts';
import { type KnownPace, takeKnownSlots } from './take-slots.ts';

/**
 * A block may have been ended since it was read. What it keeps back longer than anybody may go by
 * old knowledge would wait for an end that is none any more, so that it is then read anew.
 */
export async function confirmBlock<Known extends KnownPace>(
  known: Known,
  { clock, db }: Pick<World, 'clock' | 'db'>,
): Promise<Known> {
  const { blockedUntilMs = 0 } = known.pace;
  if (blockedUntilMs <= clock.nowMs() + KNOWN_MS) return known;
  return { ...known, pace: await findPace(db, known.endpoint) };
}

/** What has its slot already and waits for no backlog goes as soon as the receiver lets anybody. */
export function urgentSlot({ pace }: Pick<KnownPace, 'pace'>, nowMs: number): Slot {
  return { atMs: Math.max(nowMs, pace.blockedUntilMs ?? 0), version: pace.version };
}

/**
 * When to send: now, later, or at the slot that is reserved already, unless that is missed or
 * void or the endpoint is blocked. Every send of a limited endpoint has a slot of its own.
 */
export async function chooseSlot(
  known: KnownPace,
  reserved: Slot | undefined,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<Slot> {
  const nowMs = world.clock.nowMs();
  const { pace } = known;
  const { version } = pace;
  const limit = limitOf(known.endpoint, pace);
  const perSecond = rateAt(limit, pace, nowMs);
  const blockedMs = (pace.blockedUntilMs ?? 0) - nowMs;
  if (perSecond === undefined) {
    if (blockedMs <= 0) return { atMs: nowMs, version };
    return { atMs: nowMs + spreadBlock(blockedMs, world.ids.random()), version };
  }
  // Whoever reserved it may know a newer pace than we do.
  const isValid = reserved !== undefined && reserved.version >= version && blockedMs <= 0;
  if (isValid && !isLate(reserved.atMs, nowMs, limit ?? perSecond)) return reserved;
  const slots = await takeKnownSlots(world, known, 1);
  return { atMs: slots.slotsMs[0] ?? nowMs, version: slots.version };
}
