import type { World } from '../shared/world.ts';
import { findPace } from './pace.store.ts';
import {
  isLate,
  isOverrun,
  lastUseMs,
  limitOf,
  MISSED_MAX,
  rateAt,
  type Slot,
  spreadBlock,
} from './pace.ts';
import { KNOWN_MS } from './remember-endpoints.ts';
import { takeSlotAhead } from './take-slot-ahead.ts';
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

/** The slot that a send has, if any. */
interface Reserved {
  readonly reserved: Slot | undefined;
  /** It waits for no backlog. */
  readonly urgent?: boolean | undefined;
  /** How many slots it has come too late for. */
  readonly missed?: number | undefined;
}

/** When to send, and how often that was too late by then. */
export interface ChosenSlot extends Slot {
  readonly missed?: number | undefined;
  /** Until when it may be used. Absent without a limit, and for who has missed enough of them. */
  readonly lastMs?: number | undefined;
}

/**
 * When to send: now, later, or at the slot that is reserved already, unless that is missed, void or
 * overrun, or the endpoint is blocked. Every send of a limited endpoint has a slot of its own.
 */
export async function chooseSlot(
  known: KnownPace,
  { reserved, urgent = false, missed = 0 }: Reserved,
  world: Pick<World, 'clock' | 'db' | 'ids'>,
): Promise<ChosenSlot> {
  const nowMs = world.clock.nowMs();
  const { pace } = known;
  const { version } = pace;
  const limit = limitOf(known.endpoint, pace);
  const perSecond = rateAt(limit, pace, nowMs);
  const blockedMs = (pace.blockedUntilMs ?? 0) - nowMs;
  if (perSecond === undefined) {
    if (blockedMs <= 0) return { atMs: nowMs, version };
    const waitMs = urgent ? blockedMs : spreadBlock(blockedMs, world.ids.random());
    return { atMs: nowMs + waitMs, version };
  }
  const most = limit ?? perSecond;
  // Whoever reserved it may know a newer pace than we do.
  const isValid = reserved !== undefined && reserved.version >= version && blockedMs <= 0;
  const isAhead = urgent && missed < MISSED_MAX;
  const isOwn = isAhead || (isValid && !isOverrun(reserved.atMs, pace));
  if (isValid && isOwn && !isLate(reserved.atMs, nowMs, most)) {
    return withLast(reserved, { missed, perSecond: most });
  }
  const missing = isAhead && isValid ? missed + 1 : missed;
  if (urgent && missing < MISSED_MAX) {
    const ahead = await takeSlotAhead(world, known.endpoint);
    return withLast(ahead, { missed: missing, perSecond: most });
  }
  const slots = await takeKnownSlots(world, known, 1);
  const slot = { atMs: slots.slotsMs[0] ?? nowMs, version: slots.version };
  return withLast(slot, { missed: missing, perSecond: most });
}

/** Who has missed so many is always slow, and must send some time. */
function withLast(
  slot: Slot,
  { missed, perSecond }: { readonly missed: number; readonly perSecond: number },
): ChosenSlot {
  if (missed >= MISSED_MAX) return { ...slot, missed };
  return { ...slot, missed, lastMs: lastUseMs(slot.atMs, perSecond) };
}
