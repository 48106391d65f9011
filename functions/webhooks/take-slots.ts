import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findPace, reserveBehind, reserveFrom, toPace } from './pace.store.ts';
import {
  behindStretches,
  HORIZON_MS,
  isOverrun,
  limitOf,
  NO_PACE,
  type Pace,
  type Paced,
  rateAt,
  slotsBefore,
  spanUs,
  toUs,
} from './pace.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** When to send, and until when the receiver wants to be left alone. */
export interface Slots {
  /** One per send, the earliest first. */
  readonly slotsMs: readonly number[];
  /** Only while it is ahead. No slot of a limited endpoint lies before it. */
  readonly blockedUntilMs?: number;
  /** Of the pace. A slot is void once that has another one. */
  readonly version: number;
}

/** A refused write tells what is right; only a race can refuse the next one. */
const ROUNDS = 8;

/**
 * Reserves `count` slots that no other sender of the endpoint gets, at most 95 % of its limit, by
 * one write or two. An endpoint without a limit has all its slots now, and nothing is written for
 * it, as long as its receiver has refused nothing. Nothing is reserved either behind a backlog of a
 * month: the slots are then so far away that nobody may use them. Refused with `busy` when others
 * reserve at the same moment again and again.
 */
export async function takeSlots(world: Needs, endpoint: Paced, count: number): Promise<Slots> {
  const isLimited = endpoint.perSecond !== undefined;
  const pace = isLimited ? NO_PACE : await findPace(world.db, endpoint);
  return takeKnownSlots(world, { endpoint, pace }, count);
}

/** What a sender knows, which may be some seconds old. */
export interface KnownPace {
  readonly endpoint: Paced;
  readonly pace: Pace;
  /** No slot is wanted before. */
  readonly fromMs?: number | undefined;
}

/** The same, by one write where what is known of the pace is still right. */
export async function takeKnownSlots(
  world: Needs,
  { endpoint, pace, fromMs: wantedMs = 0 }: KnownPace,
  count: number,
): Promise<Slots> {
  let seen = pace;
  for (let round = 0; round < ROUNDS; round += 1) {
    const nowMs = world.clock.nowMs();
    const perSecond = rateAt(limitOf(endpoint, seen), seen, nowMs);
    if (perSecond === undefined) return toSlots(new Array(count).fill(nowMs), seen, nowMs);

    const freeMs = Math.max(nowMs, wantedMs, seen.blockedUntilMs ?? 0);
    const fromMs = skipAhead(seen, freeMs);
    const endMs = fromMs + HORIZON_MS;
    if ((seen.tatUs ?? 0) >= toUs(endMs)) return toSlots(new Array(count).fill(endMs), seen, nowMs);
    const result = await reserve(
      world,
      { endpoint, pace: seen },
      { spanUs: spanUs(count, perSecond), fromMs },
    );
    seen = result.pace;
    if (!result.ok) continue;
    const slotsMs = slotsBefore(seen.tatUs ?? toUs(nowMs), count, perSecond);
    const slots = toSlots(slotsMs, seen, nowMs);
    const [firstMs = nowMs] = slotsMs;
    // Who did not know of a block may have got slots within it, or where somebody else goes ahead.
    if (firstMs >= (slots.blockedUntilMs ?? 0) && !isOverrun(firstMs, seen)) return slots;
  }
  throw new Problem('busy', { detail: 'Too many senders take slots of one endpoint.' });
}

/** From when on the next slot is a free one. */
function skipAhead(pace: Pace, freeMs: number): number {
  const nextMs = Math.max(freeMs, Math.ceil((pace.tatUs ?? 0) / 1_000));
  const behindMs = behindStretches(nextMs, pace);
  return behindMs > nextMs ? behindMs : freeMs;
}

async function reserve(
  { db }: Needs,
  { endpoint, pace }: KnownPace,
  { spanUs: span, fromMs }: { readonly spanUs: number; readonly fromMs: number },
): Promise<{ readonly ok: boolean; readonly pace: Pace }> {
  const { tatUs, version } = pace;
  // Without an item nothing is known, and mostly somebody has reserved before.
  const isBehind = tatUs === undefined ? pace === NO_PACE : tatUs > toUs(fromMs);
  const form = isBehind ? reserveBehind : reserveFrom;
  const commit = await db.commit([form(endpoint, { spanUs: span, fromMs, version })]);
  if (commit.ok) return { ok: true, pace: toPace(commit.item) };
  const [reason] = commit.reasons;
  return { ok: false, pace: reason?.code === 'condition' ? toPace(reason.item) : pace };
}

function toSlots(slotsMs: readonly number[], pace: Pace, nowMs: number): Slots {
  const { blockedUntilMs = 0, version } = pace;
  return { slotsMs, version, ...(blockedUntilMs > nowMs && { blockedUntilMs }) };
}
