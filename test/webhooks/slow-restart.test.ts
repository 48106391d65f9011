import { beforeAll, beforeEach, expect, it } from 'vitest';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, relayed } from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const PER_SECOND = 0.01;

let world: DeliveryWorld;
let ask: Ask;
let sentAtMs: number[];
beforeAll(async () => {
  const made = await deliveryWorld();
  const post: DeliveryWorld['http']['post'] = (request) => {
    sentAtMs.push(made.clock.nowMs());
    return made.http.post(request);
  };
  world = { ...made, http: { ...made.http, post } };
  ask = webhooksApi(world);
});
beforeEach(() => {
  sentAtMs = [];
});

const pass = (seconds: number) => workUntil(world, world.clock.nowMs() + 1_000 * seconds);

it.each([
  ['a limit that is changed', 200, [{ rateLimit: { perSecond: 0.011 } }]],
  ['an end of a pause', 200, [{ status: 'paused' }, { status: 'active' }]],
  ['an order to be active', 200, [{ status: 'active' }]],
  ['a 429', 429, []],
])('%s sends nothing sooner than a slow endpoint wants it', async (_what, first, changes) => {
  const receiver = await startReceiver((nth) => (nth === 1 ? first : 200));
  const endpoint = await newEndpoint(world, receiver.url, { perSecond: PER_SECOND });
  const route = `PATCH /v1/endpoints/${endpoint.id}`;
  await relayed(world, endpoint.tenantId);
  await pass(1);
  for (const body of changes) {
    expect((await ask(endpoint.tenantId, route, { body })).status).toBe(200);
    await pass(1);
  }
  world.endpoints.forget(endpoint.tenantId, endpoint.id);
  await relayed(world, endpoint.tenantId);
  await pass(300);

  expect(sentAtMs.length).toBeGreaterThanOrEqual(2);
  const gaps = sentAtMs.slice(1).map((atMs, i) => atMs - (sentAtMs[i] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0.9 * (1_000 / 0.011));
});

it('holds what comes while an endpoint with a limit is paused, all of it', async () => {
  const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/', { perSecond: PER_SECOND });
  const path = `/v1/endpoints/${endpoint.id}`;
  await ask(endpoint.tenantId, `PATCH ${path}`, { body: { status: 'paused' } });
  await pass(60);
  for (let n = 0; n < 5; n += 1) await relayed(world, endpoint.tenantId);
  await pass(5);

  const list = `GET /v1/deliveries?endpointId=${endpoint.id}&status=held`;
  const { body } = await ask(endpoint.tenantId, list);
  expect(body.data).toHaveLength(5);
  expect(sentAtMs).toEqual([]);
});
