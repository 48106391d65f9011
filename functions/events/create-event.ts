import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { createEventRoute } from './contract.ts';
import { assertDataFits, type EventWish } from './event-draft.ts';
import { type Addressees, findAddressees } from './find-addressees.ts';
import { storeEvent } from './store-event.ts';
import type { DailyEvents } from './take-day.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'> & Addressees & DailyEvents;

/**
 * POST /v1/events. One write; with an Idempotency-Key one commit of the event and its key. Refuses
 * with `not_found` an endpoint that the tenant does not have.
 */
export const createEvent = route(createEventRoute, async (call, world: Needs) => {
  const { body, memberText } = call;
  const wish: EventWish = {
    type: body.type,
    data: memberText('data') ?? 'null',
    occurredAtMs: body.occurredAt,
    endpointId: body.endpointId,
  };
  assertDataFits(wish);
  const sending = { ...call, scope: 'events' as const };
  await findAddressees(world, sending, [{ wish, pointer: '' }]);
  return storeEvent(world, wish, sending);
});
