import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, type IdempotencyKey, route } from '../shared/http/route.ts';
import { elementTexts, memberTexts } from '../shared/http/strict-json.ts';
import { idInBatch } from '../shared/ids/derive.ts';
import { Problem } from '../shared/problem.ts';
import { MINUTE_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { createEventBatchRoute } from './contract.ts';
import { findEvent, insertEvent } from './event.store.ts';
import type { OutboxEvent } from './event.ts';
import { assertDataFits, draftEvent, type EventOrigin, type EventWish } from './event-draft.ts';
import { insertEventKey, toEventKey } from './event-key.store.ts';
import { eventView } from './event-view.ts';
import { type Addressees, findAddressees } from './find-addressees.ts';
import { isRepeated } from './find-repetition.ts';
import { type DailyEvents, takeDay } from './take-day.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'> & Addressees & DailyEvents;
type BatchCall = Call<typeof createEventBatchRoute>;

/** A batch by the id that all of its events are named after, and when it was accepted. */
interface Batch {
  readonly id: OutboxEvent['id'];
  readonly createdAtMs: number;
  readonly isReplay: boolean;
}

/**
 * POST /v1/events/batch: one transaction. A key has no place in it beside 100 events, so it is
 * written before, and names the batch: whoever repeats the request stores what is not there yet,
 * under the same ids.
 */
export const createEventBatch = route(createEventBatchRoute, async (call, world: Needs) => {
  const wishes = wishesOf(call);
  for (const { wish, pointer } of wishes) assertDataFits(wish, pointer);
  const sending = { ...call, scope: 'events' as const };
  await findAddressees(world, sending, wishes);
  const isRepeatedCall = () => isRepeated(world, sending);
  const asked = { ...call, count: wishes.length, isRepeated: isRepeatedCall };
  return takeDay(world, asked, () => storeBatch(world, wishes, call));
});

async function storeBatch(
  world: Needs,
  wishes: readonly { readonly wish: EventWish }[],
  { tenantId, traceparent, hops, idempotency }: BatchCall,
) {
  const batch = idempotency ? await nameBatch(world, tenantId, idempotency) : newBatch(world);
  const origin: EventOrigin = { tenantId, traceparent, hops, nowMs: batch.createdAtMs };
  const events = wishes.map(({ wish }, place) =>
    draftEvent(idInBatch(batch.id, place), wish, origin),
  );
  const isStored = batch.isReplay && (await isBatchStored(world, events, batch));
  // Refused by a condition they are there already: the other copy of the request was faster.
  if (!isStored) await commitDespiteConflicts(world, events.map(insertEvent));
  const data = events.map((event) => eventView(event, batch.createdAtMs));
  return { body: { data }, replayed: isStored, isNew: !batch.isReplay };
}

/** The text of each event's data, byte for byte. */
function wishesOf({ body, memberText }: BatchCall): { wish: EventWish; pointer: string }[] {
  const texts = elementTexts(memberText('events') ?? '[]');
  return body.events.map(({ type, occurredAt, endpointId }, place) => {
    const data = memberTexts(texts[place] ?? '{}').get('data') ?? 'null';
    const wish = { type, data, occurredAtMs: occurredAt, endpointId };
    return { wish, pointer: `/events/${place}` };
  });
}

function newBatch({ ids, clock }: Needs): Batch {
  return { id: ids.next('evt'), createdAtMs: clock.nowMs(), isReplay: false };
}

/** The batch of an Idempotency-Key: a new one, or that of the request that had it first. */
async function nameBatch(
  world: Needs,
  tenantId: string,
  idempotency: IdempotencyKey,
): Promise<Batch> {
  const batch = newBatch(world);
  const { fingerprint } = idempotency;
  const keyId = creationId('evt', { tenantId, scope: 'events', idempotency }, world.ids);
  const key = { eventId: batch.id, createdAtMs: batch.createdAtMs, fingerprint };
  const commit = await commitDespiteConflicts(world, [insertEventKey(tenantId, keyId, key)]);
  if (commit.ok) return batch;
  const taken = commit.reasons[0]?.item;
  if (!taken) throw new Error('a key was refused by something else than itself');
  const winner = toEventKey(taken);
  assertSameRequest(winner, idempotency);
  return { id: winner.eventId, createdAtMs: winner.createdAtMs, isReplay: true };
}

/** The reconciler looks at a minute's events for the last time 20 minutes after it. */
const COMPLETED_WITHIN_MS = 15 * MINUTE_MS;

/**
 * Whether an earlier request has stored the events of its key: all, if the first. Refuses with
 * `conflict` when it has not, and it is too late to store them under their time.
 */
async function isBatchStored(
  { clock, db }: Needs,
  [first]: readonly OutboxEvent[],
  { createdAtMs }: Batch,
): Promise<boolean> {
  if (first && (await findEvent(db, first.tenantId, first.id))) return true;
  if (clock.nowMs() < createdAtMs + COMPLETED_WITHIN_MS) return false;
  throw new Problem('conflict', {
    detail:
      'The first request with this Idempotency-Key stored nothing. Send the batch with another.',
  });
}
