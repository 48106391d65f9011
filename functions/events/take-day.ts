import { isRetryable, Problem } from '../shared/problem.ts';
import type { EventsTurn } from '../tenants/take-events.ts';
/** The tenant's limit of events a day. */
export interface DailyEvents {
  takeEvents(asked: {
    readonly tenantId: string;
    readonly dailyEvents: number;
    readonly count: number;
  }): Promise<EventsTurn>;
}

interface Asked {
  readonly tenantId: string;
  /** Undefined: the tenant has no such limit, and nothing is counted. */
  readonly dailyEvents?: number | undefined;
  readonly count: number;
  /** Whether an earlier request has stored the same. */
  isRepeated(): Promise<boolean>;
}

/**
 * Stores events that fit into the tenant's day. What an earlier request has stored counts once.
 * Refuses with `rate_limited` until the next day, UTC, and then stores nothing.
 */
export async function takeDay<Stored extends { readonly isNew: boolean }>(
  world: DailyEvents,
  asked: Asked,
  store: () => Promise<Stored>,
): Promise<Stored> {
  const { tenantId, dailyEvents, count } = asked;
  if (dailyEvents === undefined) return store();
  const turn = await world.takeEvents({ tenantId, dailyEvents, count });
  if (!turn.isFree && !(await asked.isRepeated())) throw spent(dailyEvents, turn);
  try {
    const stored = await store();
    if (!stored.isNew) turn.giveBack();
    return stored;
  } catch (error) {
    // Of an outage nobody knows whether they were stored.
    if (error instanceof Problem && !isRetryable(error.code)) turn.giveBack();
    throw error;
  }
}

function spent(dailyEvents: number, { retryAfterSeconds }: EventsTurn): Problem {
  return new Problem('rate_limited', {
    detail:
      `The tenant may send ${dailyEvents} events a day, and not so many are left of this one. ` +
      'The next begins at 00:00 UTC.',
    retryAfterSeconds,
  });
}
