import { findEvent } from '../events/event.store.ts';
import { type Call, route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, World } from '../shared/world.ts';
import { getDeliveryRoute, listDeliveriesRoute } from './delivery.contract.ts';
import { findDeliveries, findDelivery, findSamples } from './delivery.store.ts';
import type { DeliveryStatus } from './delivery.ts';
import {
  endpointsAtOnce,
  listDeliveries as listRows,
  type Position,
} from './delivery-list.store.ts';
import { nameOfId } from './delivery-name.ts';
import { deliveryView, pendingView } from './delivery-view.ts';
import { listEndpoints } from './endpoint.store.ts';
import { findEndpointIds } from './endpoint-list.store.ts';
import { haveEnded } from './find-states.ts';

type Needs = Pick<World, 'clock' | 'db' | 'secrets'>;
type ListCall = Call<typeof listDeliveriesRoute>;

/** GET /v1/deliveries/{id}: strongly consistent, with what the receiver answered. */
export const getDelivery = route(
  getDeliveryRoute,
  async ({ tenantId, params }, { clock, db }: Pick<World, 'clock' | 'db'>) => {
    const name = nameOfId(tenantId, params.id);
    const delivery = await findDelivery(db, name);
    if (delivery) return { body: deliveryView(delivery, await findSamples(db, name)) };

    const event = await findEvent(db, tenantId, name.eventId);
    if (!event?.sentTo?.includes(name.endpointId) || haveEnded(event, clock.nowMs())) {
      throw new Problem('not_found');
    }
    return { body: pendingView(event, name.endpointId) };
  },
);

/**
 * GET /v1/deliveries: those of an event, or else of one endpoint, or of all by their status. A page
 * does no more work for many endpoints than for some: it may be short, and the next goes on.
 */
export const listDeliveries = route(listDeliveriesRoute, async (call, world: Needs) => {
  const { tenantId, query } = call;
  const { limit, cursor, ...filter } = query;
  const cursorKey = await world.secrets.read('cursor-key');
  const boundTo = [tenantId, 'deliveries', JSON.stringify(filter)];
  const after = cursor === undefined ? undefined : toPlace(openCursor(cursor, boundTo, cursorKey));
  const page = query.eventId
    ? await listOfEvent(call, query.eventId, { world, after })
    : query.endpointId
      ? await listOfEndpoint(call, query.endpointId, { world, after })
      : await listOfAll(call, { world, after });
  const nextCursor = page.next && makeCursor({ ...page.next }, boundTo, cursorKey);
  return { body: { data: page.data, nextCursor, hasMore: nextCursor !== undefined } };
});

/** Where a page ended; of a list of all endpoints' besides, in which group of them. */
interface Place extends Position {
  /** The group lies behind this endpoint. */
  readonly above: string;
  /** Its last one, so that it stays the same; empty: the group is only begun. */
  readonly upTo: string;
}

interface From {
  readonly world: Needs;
  readonly after: Place | undefined;
}

async function listOfEndpoint(
  { tenantId, query }: ListCall,
  endpointId: string,
  { world, after }: From,
) {
  const statuses = storedOf(query);
  const filter = { tenantId, endpointIds: [endpointId], statuses };
  const found = await listRows(world.db, filter, { limit: query.limit, after });
  return { data: found.deliveries.map((it) => deliveryView(it)), next: found.next };
}

/** Group after group of endpoints: within one, the newest event first. */
async function listOfAll({ tenantId, query }: ListCall, { world, after }: From) {
  const statuses = storedOf(query) ?? [];
  const { above = '', upTo = '' } = after ?? {};
  const count = endpointsAtOnce(statuses);
  const ids = await findEndpointIds(world.db, tenantId, { after: above, count: count + 1 });
  const endpointIds = ids.slice(0, count).filter((it) => upTo === '' || it <= upTo);
  const last = endpointIds.at(-1) ?? upTo;
  const found = await listRows(
    world.db,
    { tenantId, endpointIds, statuses },
    { limit: query.limit, after: after?.pk ? after : undefined },
  );
  const data = found.deliveries.map((it) => deliveryView(it));
  if (found.next) return { data, next: { ...found.next, above, upTo: last } };
  const isEnd = ids.length === endpointIds.length;
  return { data, next: isEnd ? undefined : { pk: '', sk: '', above: last, upTo: '' } };
}

/** The contract lets nobody ask for pending ones without an event. */
const storedOf = ({ status }: ListCall['query']) => status as DeliveryStatus[] | undefined;

type View = ReturnType<typeof deliveryView> | ReturnType<typeof pendingView>;

/** So many are read at once. */
const READ_AT_ONCE = 100;

/** At most one delivery per endpoint. Ordered by endpoint. */
async function listOfEvent({ tenantId, query }: ListCall, eventId: string, { world, after }: From) {
  const event = await findEvent(world.db, tenantId, eventId);
  // An alert of a file has no event in the outbox, and an event just made has no list yet.
  const pendingOf = event?.sentTo && !haveEnded(event, world.clock.nowMs()) ? event : undefined;
  const ids = event?.sentTo ?? (await listEndpoints(world.db, tenantId)).map((it) => it.id);
  const wanted = ids
    .filter((it) => query.endpointId === undefined || it === query.endpointId)
    .filter((it) => after === undefined || it > after.sk)
    .sort();
  const names = wanted.map((endpointId) => ({ tenantId, endpointId, eventId }));
  const data: View[] = [];
  for (let at = 0; at < names.length && data.length <= query.limit; at += READ_AT_ONCE) {
    const some = names.slice(at, at + READ_AT_ONCE);
    const rows = await findDeliveries(world.db, some);
    for (const [index, { endpointId }] of some.entries()) {
      const row = rows[index];
      const view = row ? deliveryView(row) : pendingOf && pendingView(pendingOf, endpointId);
      if (view && (query.status?.includes(view.status) ?? true)) data.push(view);
    }
  }
  const page = data.slice(0, query.limit);
  const last = page.at(-1);
  const next = last && data.length > page.length ? { pk: '', sk: last.endpointId } : undefined;
  return { data: page, next };
}

function toPlace({ pk, sk, above = '', upTo = '' }: Item): Place {
  return { pk: String(pk), sk: String(sk), above: String(above), upTo: String(upTo) };
}
