import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import type { IdempotencyKey } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { insertEvent } from './event.store.ts';
import { draftEvent, type EventWish } from './event-draft.ts';
import { insertEventKey, toEventKey } from './event-key.store.ts';
import { eventView } from './event-view.ts';
import { isRepeated } from './find-repetition.ts';
import { type DailyEvents, takeDay } from './take-day.ts';

/** Who sends an event, under which key, and in which scope that key is unique. */
export interface Sending {
  readonly tenantId: string;
  readonly traceparent: string | undefined;
  readonly hops: number;
  readonly idempotency: IdempotencyKey | undefined;
  readonly scope: 'events' | 'alerts';
  readonly dailyEvents?: number | undefined;
}

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

/**
 * Stores one event and answers it: one write, or with an Idempotency-Key one commit of the event
 * and its key. Refuses with `idempotency_key_reused` or `busy`, and with `rate_limited` when the
 * tenant's day is used up.
 */
export async function storeEvent(world: Needs & DailyEvents, wish: EventWish, sending: Sending) {
  const asked = { ...sending, count: 1, isRepeated: () => isRepeated(world, sending) };
  return takeDay(world, asked, () => store(world, wish, sending));
}

async function store(
  world: Needs,
  wish: EventWish,
  { tenantId, traceparent, hops, idempotency, scope }: Sending,
) {
  const createdAtMs = world.clock.nowMs();
  const origin = { tenantId, traceparent, hops, nowMs: createdAtMs };
  const event = draftEvent(world.ids.next('evt'), wish, origin);
  if (!idempotency) {
    // Refused by its condition it is there already: the answer to the first try got lost.
    await commitDespiteConflicts(world, [insertEvent(event)]);
    return { body: eventView(event, createdAtMs), isNew: true };
  }

  const keyId = creationId('evt', { tenantId, scope, idempotency }, world.ids);
  const key = { eventId: event.id, createdAtMs, fingerprint: idempotency.fingerprint };
  const writes = [insertEventKey(tenantId, keyId, key), insertEvent(event)];
  const commit = await commitDespiteConflicts(world, writes);
  if (commit.ok) return { body: eventView(event, createdAtMs), isNew: true };
  const taken = commit.reasons[0]?.item;
  if (!taken) throw new Error('an event was refused by something else than its key');
  const winner = toEventKey(taken);
  assertSameRequest(winner, idempotency);
  const first = draftEvent(winner.eventId, wish, { ...origin, nowMs: winner.createdAtMs });
  return { body: eventView(first, winner.createdAtMs), replayed: true, isNew: false };
}
