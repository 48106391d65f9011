import { findEvent } from '../events/event.store.ts';
import { type Call, route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, World } from '../shared/world.ts';
import { getDeliveryRoute, listDeliveriesRoute } from './delivery.contract.ts';
import { findDeliveries, findDelivery, findSamples } from './delivery.store.ts';
import type { DeliveryStatus } from './delivery.ts';
import { listDeliveries as listRows, type Position } from './delivery-list.store.ts';
import { nameOfId } from './delivery-name.ts';
import { deliveryView, pendingView } from './delivery-view.ts';
import { listEndpoints } from './endpoint.store.ts';

type Needs = Pick<World, 'db' | 'secrets'>;
type ListCall = Call<typeof listDeliveriesRoute>;

/** GET /v1/deliveries/{id}: strongly consistent, with what the receiver answered. */
export const getDelivery = route(
  getDeliveryRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const name = nameOfId(tenantId, params.id);
    const delivery = await findDelivery(db, name);
    if (delivery) return { body: deliveryView(delivery, await findSamples(db, name)) };

    const event = await findEvent(db, tenantId, name.eventId);
    if (!event?.sentTo?.includes(name.endpointId)) throw new Problem('not_found');
    return { body: pendingView(event, name.endpointId) };
  },
);

/** GET /v1/deliveries: those of an event, or else of one endpoint or all of them. */
export const listDeliveries = route(listDeliveriesRoute, async (call, world: Needs) => {
  const { tenantId, query } = call;
  const { limit, cursor, ...filter } = query;
  const cursorKey = await world.secrets.read('cursor-key');
  const boundTo = [tenantId, 'deliveries', JSON.stringify(filter)];
  const after =
    cursor === undefined ? undefined : toPosition(openCursor(cursor, boundTo, cursorKey));
  const page = query.eventId
    ? await listOfEvent(call, query.eventId, { world, after })
    : await listOfEndpoints(call, { world, after });
  const nextCursor = page.next && makeCursor({ ...page.next }, boundTo, cursorKey);
  return { body: { data: page.data, nextCursor, hasMore: nextCursor !== undefined } };
});

interface From {
  readonly world: Needs;
  readonly after: Position | undefined;
}

async function listOfEndpoints({ tenantId, query }: ListCall, { world, after }: From) {
  const endpointIds = query.endpointId
    ? [query.endpointId]
    : (await listEndpoints(world.db, tenantId)).map((it) => it.id);
  // The contract lets nobody ask for pending ones without an event.
  const statuses = query.status as DeliveryStatus[] | undefined;
  const { limit } = query;
  const found = await listRows(world.db, { tenantId, endpointIds, statuses }, { limit, after });
  return { data: found.deliveries.map((it) => deliveryView(it)), next: found.next };
}

/** At most one delivery per endpoint, so that all can be read at once. Ordered by endpoint. */
async function listOfEvent({ tenantId, query }: ListCall, eventId: string, { world, after }: From) {
  const event = await findEvent(world.db, tenantId, eventId);
  // An alert of a file has no event in the outbox, and an event just made has no list yet.
  const ids = event?.sentTo ?? (await listEndpoints(world.db, tenantId)).map((it) => it.id);
  const wanted = ids
    .filter((it) => query.endpointId === undefined || it === query.endpointId)
    .filter((it) => after === undefined || it > after.sk)
    .sort();
  const names = wanted.map((endpointId) => ({ tenantId, endpointId, eventId }));
  const rows = await findDeliveries(world.db, names);
  const data = names.flatMap(({ endpointId }, index) => {
    const row = rows[index];
    const view = row ? deliveryView(row) : event?.sentTo && pendingView(event, endpointId);
    return view && (query.status?.includes(view.status) ?? true) ? [view] : [];
  });
  const page = data.slice(0, query.limit);
  const last = page.at(-1);
  const next = last && data.length > page.length ? { pk: '', sk: last.endpointId } : undefined;
  return { data: page, next };
}

function toPosition({ pk, sk }: Item): Position {
  return { pk: String(pk), sk: String(sk) };
}
