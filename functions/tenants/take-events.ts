import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { reserveEvents, usedOf } from './event-quota.store.ts';
import { dayOf, reserveSize, secondsToMidnight } from './event-quota.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** Some events of a tenant, and how many it may send a day. */
export interface AskedEvents {
  readonly tenantId: string;
  readonly dailyEvents: number;
  readonly count: number;
}

/** Whether these events may be stored. */
export interface EventsTurn {
  readonly isFree: boolean;
  /** When not free: in how many seconds the next day begins. */
  readonly retryAfterSeconds: number;
  /** They were not stored after all. */
  giveBack(): void;
}

/** Takes all of these events out of the tenant's day, or none. */
export type TakeEvents = (world: Needs, asked: AskedEvents) => Promise<EventsTurn>;

/** What an instance knows of a tenant's day. */
interface Quota {
  readonly day: number;
  /** Reserved and not spent. They are good until the day ends. */
  left: number;
  /** How many are reserved by anybody, when it was last seen: it never becomes less. */
  used: number;
  /** How many were asked for since this time. */
  asked: number;
  askedFromMs: number;
}

const QUOTAS_MAX = 10_000;
/** An instance reserves what it was asked for in about so long. */
const AHEAD_MS = 10 * SECOND_MS;
/** Each lost round means that others have reserved. */
const ROUNDS = 5;

/**
 * The days of all tenants as one instance takes events from them. Events are reserved before they
 * are spent, so all instances together never store more than the limit. An instance that dies
 * takes with it what it had reserved, a hundred events at most, and less as the day runs out.
 * Refuses with `busy` when others are always faster, and with `unavailable` in an outage.
 */
export function eventsTaker(): TakeEvents {
  const quotas = new Map<string, Quota>();

  return async (world, asked) => {
    const nowMs = world.clock.nowMs();
    const known = quotas.get(asked.tenantId);
    const quota = known?.day === dayOf(nowMs) ? known : newQuota(nowMs);
    if (quotas.size >= QUOTAS_MAX && !known) quotas.clear();
    quotas.set(asked.tenantId, quota);
    count(quota, asked.count, nowMs);
    const isFree = quota.left >= asked.count || (await reserve(quota, asked, world));
    if (isFree) quota.left -= asked.count;
    return {
      isFree,
      retryAfterSeconds: secondsToMidnight(nowMs),
      giveBack: () => {
        if (isFree) quota.left += asked.count;
      },
    };
  };
}

function newQuota(nowMs: number): Quota {
  return { day: dayOf(nowMs), left: 0, used: 0, asked: 0, askedFromMs: nowMs };
}

function count(quota: Quota, events: number, nowMs: number): void {
  const isOver = nowMs < quota.askedFromMs || nowMs >= quota.askedFromMs + AHEAD_MS;
  if (isOver) Object.assign(quota, { asked: 0, askedFromMs: nowMs });
  quota.asked += events;
}

/** True when as many are left as were asked for. Nothing is written while that cannot be. */
async function reserve(
  quota: Quota,
  { tenantId, dailyEvents: limit, count: events }: AskedEvents,
  { db }: Needs,
): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const needed = events - quota.left;
    const { day, asked, used } = quota;
    if (used + needed > limit) return false;
    const wanted = reserveSize({ needed, asked, limit, used });
    const commit = await db.commit([reserveEvents({ tenantId, day, count: wanted, limit })]);
    quota.used = Math.max(used, usedOf(commit.ok ? commit.item : commit.reasons[0]?.item));
    if (!commit.ok) continue;
    quota.left += wanted;
    return true;
  }
  throw new Problem('busy', {
    detail: 'Others are sending the last events of the day. Retry with the same Idempotency-Key.',
    retryAfterSeconds: 1,
  });
}
