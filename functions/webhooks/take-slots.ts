import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import { findPace, reserveBehind, reserveFromNow, toPace } from './pace.store.ts';
import { type Pace, slotsBefore, spanUs, toUs } from './pace.ts';

/** When to send, and until when the receiver wants to be left alone. */
export interface Slots {
  /** One per send, the earliest first. */
  readonly slotsMs: readonly number[];
  /** Only while it is ahead. No slot of a limited endpoint lies before it. */
  readonly blockedUntilMs?: number;
}

/** Two forms of one write exclude each other; only a race can refuse both. */
const ROUNDS = 5;

/**
 * Reserves `count` slots that no other sender of the endpoint gets, at most 95 % of its limit.
 * An endpoint without a limit has all its slots now, and nothing is written for it. Refused with
 * `busy` when others reserve at the same moment again and again.
 */
export async function takeSlots(
  { clock, db }: Pick<World, 'clock' | 'db'>,
  endpoint: Endpoint,
  count: number,
): Promise<Slots> {
  const nowMs = clock.nowMs();
  const { perSecond } = endpoint;
  if (perSecond === undefined) {
    const slotsMs = Array.from({ length: count }, () => nowMs);
    return withBlock(slotsMs, await findPace(db, endpoint), nowMs);
  }
  const span = spanUs(count, perSecond);
  const forms = [reserveBehind, reserveFromNow];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const form of forms) {
      const result = await db.commit([form(endpoint, span, nowMs)]);
      if (!result.ok) continue;
      const pace = toPace(result.item);
      return withBlock(slotsBefore(pace.tatUs ?? toUs(nowMs), count, perSecond), pace, nowMs);
    }
  }
  throw new Problem('busy', { detail: 'Too many senders take slots of one endpoint.' });
}

function withBlock(slotsMs: readonly number[], pace: Pace, nowMs: number): Slots {
  const { blockedUntilMs = 0 } = pace;
  return blockedUntilMs > nowMs ? { slotsMs, blockedUntilMs } : { slotsMs };
}
