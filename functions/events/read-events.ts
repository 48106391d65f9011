import { route } from '../shared/http/route.ts';
import { countFitting, makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { getEventRoute, listEventsRoute } from './contract.ts';
import { findEvent, findEvents } from './event.store.ts';
import type { DeliveryState, RelayedEvent } from './event.ts';
import { listEventIds } from './event-list.store.ts';
import { readEventView, stateView } from './event-view.ts';

/** Deliveries belong to a room that builds on this one. */
export interface Deliveries {
  /** Where the deliveries of an event stand. */
  findStates(event: RelayedEvent): Promise<readonly DeliveryState[]>;
}

/** GET /v1/events/{id}: strongly consistent, with one state per endpoint. */
export const getEvent = route(
  getEventRoute,
  async ({ tenantId, params }, { db, findStates }: Pick<World, 'db'> & Deliveries) => {
    const event = await findEvent(db, tenantId, params.id);
    if (!event) throw new Problem('not_found');
    const deliveries = (await findStates(event)).map(stateView);
    return { body: { ...readEventView(event), deliveries } };
  },
);

/** GET /v1/events: by the index, up to a second old. A page ends where an answer is full. */
export const listEvents = route(
  listEventsRoute,
  async ({ tenantId, query }, { db, secrets }: Pick<World, 'db' | 'secrets'>) => {
    const { limit, cursor, ...filter } = query;
    const boundTo = [tenantId, 'events', JSON.stringify(filter)];
    const key = await secrets.read('cursor-key');
    const after = cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at);
    const { type, from: fromMs, to: toMs } = filter;
    const page = await listEventIds(db, { tenantId, type, fromMs, toMs }, { limit, after });
    const found = await findEvents(db, tenantId, page.ids);
    // By their text: what does not fit need not be parsed.
    const events = found.slice(0, countFitting(found));
    const data = events.map(readEventView);
    // A cut page goes on behind the last one that it shows.
    const next = events.length < found.length ? events.at(-1)?.id : page.next;
    const nextCursor = next && makeCursor({ at: next }, boundTo, key);
    return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
  },
);
