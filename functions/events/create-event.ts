import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { KIB } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { Reason, World } from '../shared/world.ts';
import { createEventRoute } from './contract.ts';
import { insertEvent } from './event.store.ts';
import type { OutboxEvent } from './event.ts';
import { insertEventKey, toEventKey } from './event-key.store.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'> & {
  /** Whether a tenant has an endpoint: endpoints belong to a room that builds on this one. */
  hasEndpoint(tenantId: string, endpointId: string): Promise<boolean>;
};

const DATA_BYTES_MAX = 64 * KIB;

/**
 * POST /v1/events. One write; with an Idempotency-Key one commit of the event and its key. Refuses
 * with `not_found` an endpoint that the tenant does not have.
 */
export const createEvent = route(createEventRoute, async (call, world: Needs) => {
  await assertAddressee(call, world);
  const nowMs = world.clock.nowMs();
  const event = draftEvent(call, { id: world.ids.next('evt'), nowMs });
  const { tenantId, idempotency } = call;
  if (!idempotency) {
    // Refused by its condition it is there already: the answer to the first try got lost.
    await commitDespiteConflicts(world, [insertEvent(event)]);
    return { body: eventView(event, nowMs) };
  }

  const keyId = creationId('evt', { tenantId, scope: 'events', idempotency }, world.ids);
  const key = {
    eventId: event.id,
    createdAtMs: nowMs,
    fingerprint: idempotency.fingerprint,
  };
  const commit = await world.db.commit([insertEventKey(tenantId, keyId, key), insertEvent(event)]);
  if (commit.ok) return { body: eventView(event, nowMs) };
  const winner = winnerOf(commit.reasons);
  assertSameRequest(winner, idempotency);
  const first = draftEvent(call, { id: winner.eventId, nowMs: winner.createdAtMs });
  return { body: eventView(first, winner.createdAtMs), replayed: true };
});

/** An event for an endpoint that is not there would reach nobody, and nobody would notice. */
async function assertAddressee(
  { tenantId, body }: Call<typeof createEventRoute>,
  { hasEndpoint }: Needs,
): Promise<void> {
  const { endpointId } = body;
  if (endpointId === undefined || (await hasEndpoint(tenantId, endpointId))) return;
  const detail = `There is no endpoint ${endpointId}.`;
  throw new Problem('not_found', {
    detail,
    errors: [{ pointer: '/endpointId', code: 'not_found', detail }],
  });
}

function draftEvent(
  { tenantId, body, memberText, traceparent }: Call<typeof createEventRoute>,
  { id, nowMs }: { readonly id: OutboxEvent['id']; readonly nowMs: number },
): OutboxEvent {
  const data = memberText('data') ?? 'null';
  if (Buffer.byteLength(data) > DATA_BYTES_MAX) {
    throw new Problem('payload_too_large', { detail: 'The data of an event may have 64 KB.' });
  }
  return {
    id,
    tenantId,
    type: body.type,
    occurredAtMs: body.occurredAt ?? nowMs,
    data,
    to: body.endpointId,
    traceparent,
  };
}

/** The key item that another request has written. */
function winnerOf([reason]: readonly Reason[]) {
  if (!reason?.item) throw new Error('an event was refused by something else than its key');
  return toEventKey(reason.item);
}

function eventView(event: OutboxEvent, createdAtMs: number) {
  return {
    id: event.id,
    object: 'event' as const,
    type: event.type,
    occurredAt: toInstant(event.occurredAtMs),
    createdAt: toInstant(createdAtMs),
    endpointId: event.to as `end_${string}` | undefined,
  };
}
