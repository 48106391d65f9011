import { createAlert } from '../../functions/events/create-alert.ts';
import { createEvent } from '../../functions/events/create-event.ts';
import { createEventBatch } from '../../functions/events/create-event-batch.ts';
import type { Addressees } from '../../functions/events/find-addressees.ts';
import { type Deliveries, getEvent, listEvents } from '../../functions/events/read-events.ts';
import type { DailyEvents } from '../../functions/events/take-day.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import { eventsTaker } from '../../functions/tenants/take-events.ts';
import { hasEndpoint } from '../../functions/webhooks/find-addressee.ts';
import { findStates } from '../../functions/webhooks/find-states.ts';
import { type Asked, type RoomAnswer, type RoomBody, roomClient } from '../support/room-client.ts';
import { type DeliveryWorld, deliveryWorld } from '../webhooks/delivery-world.ts';

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface Body extends RoomBody {
  readonly errors: { readonly pointer: string; readonly code: string }[];
}

export interface Answer extends RoomAnswer {
  readonly body: Body;
}

/** Calls the room's routes as a tenant, with all of the shell but the check of its key. */
export type Ask = (tenantId: string, call: string, asked?: Asked) => Promise<Answer>;

export type EventsWorld = DeliveryWorld & Addressees & Deliveries & DailyEvents;

/** The doors of events/api, and those of the relay and of deliveries behind it. */
export async function eventsWorld(): Promise<EventsWorld> {
  const world = await deliveryWorld();
  const takeEvents = eventsTaker();
  return {
    ...world,
    hasEndpoint: (tenantId, id) => hasEndpoint(world, tenantId, id),
    takeEvents: (asked) => takeEvents(world, asked),
    findStates: (event) => findStates(world, event),
  };
}

/** `dailyEvents` is the limit of whoever calls. */
export function eventsApi(world: EventsWorld, dailyEvents?: number): Ask {
  const routes = [
    createEvent,
    createEventBatch,
    createAlert,
    listEvents,
    getEvent,
  ] as Route<EventsWorld>[];
  return (tenantId, call, asked) =>
    roomClient(world, routes, { tenantId, dailyEvents })(call, asked) as Promise<Answer>;
}
