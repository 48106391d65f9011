import { beforeAll, describe, expect, it } from 'vitest';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { type Delivery, newDelivery, RETENTION_MS } from '../../functions/webhooks/delivery.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  handleDue,
  newEndpoint,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

const idOf = (endpoint: Endpoint, event: { id: string }) =>
  deliveryId({ endpointId: endpoint.id, eventId: event.id });

/** All pages of a list, two at a time. */
async function listAll(tenant: string, query: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  let cursor = '';
  do {
    const { status, body } = await ask(tenant, `GET /v1/deliveries?limit=2&${query}${cursor}`);
    expect(status).toBe(200);
    all.push(...body.data);
    cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
  } while (cursor);
  return all;
}

/** A delivery at its end, with an event of its own. */
async function giveUp(endpoint: Endpoint, status: Delivery['status']): Promise<string> {
  const { tenantId, id: endpointId } = endpoint;
  world.clock.advance(1);
  const name = { tenantId, endpointId, eventId: world.ids.next('evt'), eventType: 'order.paid' };
  const nowMs = world.clock.nowMs();
  const delivery = { ...newDelivery(name, nowMs), status, token: 'one' };
  await world.db.commit([saveDelivery(delivery, undefined, nowMs)]);
  return name.eventId;
}

/** Each page of a list: what it shows, and what it took. */
async function costOfPages(tenantId: string, query: string, from?: string) {
  const pages: { ids: string[]; queries: number; units: number }[] = [];
  let cursor = from ? `&cursor=${from}` : '';
  do {
    world.takeUnits();
    const { body } = await ask(tenantId, `GET /v1/deliveries?${query}${cursor}`);
    const queries = world.units.filter((it) => it.operation === 'query').length;
    const ids = body.data.map((it) => String(it.eventId));
    pages.push({ ids, queries, units: world.takeUnits() });
    cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : '';
  } while (cursor);
  return pages;
}

describe('GET /v1/deliveries/{id}', () => {
  it('shows each attempt and what the receiver answered', async () => {
    const receiver = await startReceiver((nth) =>
      nth === 1 ? { status: 500, body: 'database is down' } : 204,
    );
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const path = `GET /v1/deliveries/${idOf(endpoint, event)}`;
    expect((await ask(endpoint.tenantId, path)).body).toMatchObject({
      status: 'pending',
      eventType: 'order.paid',
      attempts: [],
    });
    await handleDue(world);
    const retrying = (await ask(endpoint.tenantId, path)).body;
    expect(retrying).toMatchObject({
      object: 'delivery',
      endpointId: endpoint.id,
      eventId: event.id,
      status: 'retrying',
      attempts: [{ n: 1, outcome: 'failed', status: 500, response: 'database is down' }],
    });
    expect(retrying.nextAt).toBe(retrying.attempts[0]?.nextAt);
    await drain(world);
    const delivered = (await ask(endpoint.tenantId, path)).body;
    expect(delivered).toMatchObject({
      status: 'delivered',
      attempts: [{ n: 1 }, { n: 2, outcome: 'delivered', status: 204 }],
    });
    expect(delivered).not.toHaveProperty('nextAt');
  });

  it('hides what belongs to another tenant, or never was', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/');
    const event = await relayed(world, endpoint.tenantId);
    const path = `GET /v1/deliveries/${idOf(endpoint, event)}`;
    const wrong = `GET /v1/deliveries/dlv_${'Z'.repeat(52)}`;
    const never = `GET /v1/deliveries/${idOf(endpoint, { id: world.ids.next('evt') })}`;
    expect((await ask(newTenant(world), path)).status).toBe(404);
    expect((await ask(endpoint.tenantId, wrong)).status).toBe(404);
    expect((await ask(endpoint.tenantId, never)).status).toBe(404);
  });
});

describe('GET /v1/deliveries', () => {
  it('lists an endpoint’s, the newest first, all of them or by status', async () => {
    let isUp = false;
    const receiver = await startReceiver(() => (isUp ? 200 : { status: 500, body: 'no' }));
    const endpoint = await newEndpoint(world, receiver.url, { retry: { maxAttempts: 1 } });
    const { tenantId } = endpoint;
    const ids: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      isUp = n % 3 === 0;
      world.clock.advance(1);
      ids.unshift((await relayed(world, tenantId, { type: 'order.paid' })).id);
      await drain(world);
    }
    const by = async (status: string) =>
      (await listAll(tenantId, `endpointId=${endpoint.id}${status}`)).map((it) => it.eventId);
    const up = ids.filter((_, index) => index % 3 === 0);
    const down = ids.filter((_, index) => index % 3 !== 0);
    expect(await by('')).toEqual(ids);
    expect(await by('&status=delivered')).toEqual(up);
    expect(await by('&status=exhausted')).toEqual(down);
    expect(await by('&status=exhausted,delivered')).toEqual(ids);
    expect(await by('&status=held')).toEqual([]);
    const alone = await listAll(tenantId, 'status=exhausted');
    expect(alone.filter((it) => it.eventType === 'order.paid').map((it) => it.eventId)).toEqual(
      down,
    );
  });

  it('asks little for each page, however many endpoints there are, and misses none', async () => {
    const { tenantId } = await newEndpoint(world, 'http://127.0.0.1:1/');
    const endpoints: Endpoint[] = [];
    for (let n = 0; n < 119; n += 1) {
      endpoints.push(await newEndpoint(world, 'http://127.0.0.1:1/', { tenantId }));
    }
    const wanted = endpoints.filter((_, index) => index % 20 === 0);
    const ids = await Promise.all(wanted.map((it) => giveUp(it, 'exhausted')));
    ids.push(...(await Promise.all(wanted.map((it) => giveUp(it, 'expired')))));
    const pages = await costOfPages(tenantId, 'status=exhausted,expired');
    expect(pages.flatMap((it) => it.ids).sort()).toEqual(ids.sort());
    // 25 of the 120 at a time, each with two statuses and eight shards of half an RRU.
    expect(pages).toHaveLength(5);
    for (const page of pages) {
      expect(page.queries).toBeLessThanOrEqual(1 + 400);
      expect(page.units).toBeLessThan(225);
    }
    const one = await costOfPages(tenantId, 'status=held');
    expect(one.map((it) => it.ids)).toEqual([[], [], []]);
    expect(one.map((it) => it.queries)).toEqual([401, 401, 161]);
  });

  it('stays at its endpoints when one of them goes, and comes to the next ones', async () => {
    const first = await newEndpoint(world, 'http://127.0.0.1:1/');
    const { tenantId } = first;
    const second = await newEndpoint(world, 'http://127.0.0.1:1/', { tenantId });
    for (let n = 0; n < 48; n += 1) await newEndpoint(world, 'http://127.0.0.1:1/', { tenantId });
    const behind = await newEndpoint(world, 'http://127.0.0.1:1/', { tenantId });
    const old = await giveUp(second, 'held');
    const young = await giveUp(second, 'held');
    const youngest = await giveUp(behind, 'held');
    const { body } = await ask(tenantId, 'GET /v1/deliveries?status=held&limit=1');
    await ask(tenantId, `DELETE /v1/endpoints/${first.id}`);
    const rest = await costOfPages(tenantId, 'status=held&limit=1', body.nextCursor);
    const seen = [body.data.map((it) => it.eventId), ...rest.map((it) => it.ids)];
    expect(seen.flat()).toEqual([young, old, youngest]);
  });

  it('lists an event’s, pending ones too', async () => {
    const receiver = await startReceiver();
    const first = await newEndpoint(world, receiver.url);
    const { tenantId } = first;
    const others = [
      await newEndpoint(world, receiver.url, { tenantId }),
      await newEndpoint(world, receiver.url, { tenantId }),
    ];
    const event = await relayed(world, tenantId);
    const mine = takeDue(world).find((it) => it.body.endpoint === first.id);
    if (mine) await handle(mine, world);
    const all = await listAll(tenantId, `eventId=${event.id}`);
    expect(all.map((it) => [it.endpointId, it.status])).toEqual(
      [first, ...others]
        .map((it) => it.id)
        .sort()
        .map((id) => [id, id === first.id ? 'delivered' : 'pending']),
    );
    const pending = await listAll(tenantId, `eventId=${event.id}&status=pending`);
    expect(pending).toHaveLength(2);
    const one = await listAll(tenantId, `eventId=${event.id}&endpointId=${first.id}`);
    expect(one.map((it) => it.status)).toEqual(['delivered']);
    expect(await listAll(newTenant(world), `eventId=${event.id}`)).toEqual([]);
  });

  it('knows no pending one of an event whose deliveries have ended', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const { tenantId } = endpoint;
    const event = await relayed(world, tenantId);
    const path = `GET /v1/deliveries/${idOf(endpoint, event)}`;
    world.clock.advance(RETENTION_MS - 1_000);
    expect((await ask(tenantId, path)).body.status).toBe('pending');
    world.clock.advance(1_000);
    expect((await ask(tenantId, path)).status).toBe(404);
    expect(await listAll(tenantId, `eventId=${event.id}`)).toEqual([]);
    takeDue(world);
  });

  it.each([
    ['', 422],
    ['status=delivered', 422],
    ['status=pending', 422],
    ['status=exhausted,delivered', 422],
    ['status=inflight', 422],
    ['status=cancelled', 422],
    ['status=odd', 422],
    ['endpointId=end_1&status=exhausted', 422],
    ['status=exhausted', 200],
    ['status=exhausted,uncertain,held,expired,retrying,waiting', 200],
    ['status=exhausted&cursor=abc', 400],
  ])('answers ?%s with %i', async (query, status) => {
    const answer = await ask(newTenant(world), `GET /v1/deliveries?${query}`);
    expect(answer.status).toBe(status);
  });
});

describe('POST /v1/deliveries/{id}/retry', () => {
  it('sends an exhausted delivery again, with a full schedule', async () => {
    const receiver = await startReceiver((nth) => (nth <= 3 ? 500 : 200));
    const endpoint = await newEndpoint(world, receiver.url, {
      retry: { maxAttempts: 2, scheduleSeconds: [10] },
    });
    const event = await relayed(world, endpoint.tenantId);
    await drain(world);
    const path = `/v1/deliveries/${idOf(endpoint, event)}`;
    expect((await ask(endpoint.tenantId, `GET ${path}`)).body.status).toBe('exhausted');

    const retried = await ask(endpoint.tenantId, `POST ${path}/retry`);
    expect([retried.status, retried.body.status]).toEqual([202, 'retrying']);
    await drain(world);
    const { body } = await ask(endpoint.tenantId, `GET ${path}`);
    expect(body).toMatchObject({ status: 'delivered' });
    expect(receiver.got).toHaveLength(4);
    expect(new Set(receiver.got.map((it) => it.headers['webhook-id'])).size).toBe(1);

    const again = await ask(endpoint.tenantId, `POST ${path}/retry`);
    expect([again.status, again.body.code]).toEqual([409, 'not_retryable']);
    const forced = await ask(endpoint.tenantId, `POST ${path}/retry?force=true`);
    expect(forced.status).toBe(202);
    await drain(world);
    expect(receiver.got).toHaveLength(5);
  });

  it('sends a pending delivery at once, and only once', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const event = await relayed(world, endpoint.tenantId);
    const path = `/v1/deliveries/${idOf(endpoint, event)}`;
    expect((await ask(endpoint.tenantId, `POST ${path}/retry`)).status).toBe(202);
    await drain(world);
    expect(receiver.got).toHaveLength(1);
  });

  it('makes of a pending one no delivery that outlives its event', async () => {
    const endpoint = await newEndpoint(world, (await startReceiver()).url);
    const late = async (days: number) => {
      const event = await relayed(world, endpoint.tenantId);
      world.sent.splice(0);
      const eventMs = world.clock.nowMs();
      world.clock.advance(days * 24 * 3_600_000);
      const { status, body } = await ask(
        endpoint.tenantId,
        `POST /v1/deliveries/${idOf(endpoint, event)}/retry`,
      );
      return { status, ageMs: Date.parse(String(body.createdAt)) - eventMs };
    };
    expect(await late(28)).toEqual({ status: 202, ageMs: 0 });
    expect(await late(29)).toEqual({ status: 409, ageMs: Number.NaN });
  });

  it('answers 404 to other tenants', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/');
    const event = await relayed(world, endpoint.tenantId);
    const path = `POST /v1/deliveries/${idOf(endpoint, event)}/retry`;
    expect((await ask(newTenant(world), path)).status).toBe(404);
  });
});
