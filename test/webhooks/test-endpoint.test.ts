import { beforeAll, describe, expect, it } from 'vitest';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { verifyWebhook } from '../../functions/webhooks/signature.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type Ask, webhooksApi } from './api.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, SECRET } from './delivery-world.ts';
import { hangFor, startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

const send = ({ tenantId, id }: Endpoint) => ask(tenantId, `POST /v1/endpoints/${id}/test`);

describe('POST /v1/endpoints/{id}/test', () => {
  it.each(['active', 'paused', 'disabled'] as const)('sends to a %s endpoint', async (status) => {
    const receiver = await startReceiver(() => 204);
    const endpoint = await newEndpoint(world, receiver.url, { status });
    const { status: code, body } = await send(endpoint);
    expect(code).toBe(200);
    expect(body).toEqual({ outcome: 'delivered', status: 204, ms: expect.any(Number) });

    const [got] = receiver.got;
    if (!got) throw new Error('nothing came');
    expect(JSON.parse(got.body.toString())).toEqual({
      id: got.headers['webhook-id'],
      type: 'endpoint.test',
      timestamp: new Date(world.clock.nowMs()).toISOString(),
      data: { endpointId: endpoint.id },
    });
    const window = { nowSeconds: world.clock.nowMs() / 1_000, toleranceSeconds: 1 };
    expect(verifyWebhook([SECRET], got, window)).toBe('valid');
  });

  it.each([
    [500, { outcome: 'failed', status: 500 }],
    [302, { outcome: 'failed', status: 302 }],
    [410, { outcome: 'failed', status: 410 }],
    ['reset', { outcome: 'unknown', error: 'reset' }],
  ] as const)('tells of %s, and keeps nothing of it', async (reply, told) => {
    const receiver = await startReceiver(() => reply);
    const endpoint = await newEndpoint(world, receiver.url);
    expect((await send(endpoint)).body).toEqual({ ...told, ms: expect.any(Number) });

    const path = `/v1/endpoints/${endpoint.id}`;
    expect((await ask(endpoint.tenantId, `GET ${path}`)).body.status).toBe('active');
    const { body } = await ask(endpoint.tenantId, `GET /v1/deliveries?endpointId=${endpoint.id}`);
    expect(body.data).toEqual([]);
    const pk = `${endpoint.tenantId}#${endpoint.id}`;
    const { items } = await world.db.query({ table: 'endpoints', pk });
    const sentAt = world.clock.nowMs();
    const ttl = Math.floor(sentAt / 1_000) + 86_400;
    expect(items).toEqual([{ pk, sk: 'TEST', v: 1, sentAt, ttl }]);
    expect(world.sent).toEqual([]);
  });

  it('waits no longer than the endpoint lets it', async () => {
    const receiver = await startReceiver(() => hangFor(100));
    const endpoint = await newEndpoint(world, receiver.url, { timeoutMs: 100 });
    expect((await send(endpoint)).body).toEqual({ outcome: 'unknown', error: 'timeout', ms: 100 });
  });

  it('waits five seconds at most', async () => {
    const asked: number[] = [];
    const http: DeliveryWorld['http'] = {
      ...world.http,
      post: async ({ timeoutMs }) => {
        asked.push(timeoutMs);
        return { kind: 'failed', error: 'refused', ms: 1 };
      },
    };
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:4000/', { timeoutMs: 15_000 });
    const path = `POST /v1/endpoints/${endpoint.id}/test`;
    const { body } = await webhooksApi({ ...world, http })(endpoint.tenantId, path);
    expect(body).toEqual({ outcome: 'failed', error: 'refused', ms: 1 });
    expect(asked).toEqual([5_000]);
  });

  it('sends once per second and endpoint, whoever asks', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(endpoint)));
    const refused = answers.filter((it) => it.status === 429);
    expect(refused).toHaveLength(9);
    for (const { headers, body } of refused) {
      expect([headers['retry-after'], body.code]).toEqual(['1', 'rate_limited']);
    }
    world.clock.advance(999);
    expect((await send(endpoint)).status).toBe(429);
    world.clock.advance(1);
    expect((await send(endpoint)).status).toBe(200);
    expect(receiver.got).toHaveLength(2);
  });

  it('is not held up for long by another clock that is wrong', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    world.clock.advance(60_000);
    await send(endpoint);
    world.clock.advance(-60_000);
    expect((await send(endpoint)).status).toBe(200);
  });

  it('leaves a receiver alone that asked for it', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    await blockEndpoint(world, endpoint, { status: 429, retryAfterMs: 30_000 });
    const { status, headers } = await send(endpoint);
    expect([status, headers['retry-after']]).toEqual([429, '30']);
    expect(receiver.got).toEqual([]);
  });

  it('waits for the next free slot of the limit', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    const { slotsMs } = await takeSlots(world, endpoint, 1);
    expect((await send(endpoint)).status).toBe(200);
    expect(world.clock.nowMs() - (slotsMs[0] ?? 0)).toBe(1_053);
    const [next = 0] = (await takeSlots(world, endpoint, 1)).slotsMs;
    expect(next - world.clock.nowMs()).toBe(1_053);
  });

  it('waits for the first slot after another limit was set', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    const body = { rateLimit: { perSecond: 100 } };
    await ask(endpoint.tenantId, `PATCH /v1/endpoints/${endpoint.id}`, { body });
    const changedMs = world.clock.nowMs();
    expect((await send(endpoint)).status).toBe(200);
    expect(world.clock.nowMs() - changedMs).toBeGreaterThanOrEqual(5_000);
  });

  it('says when a slot is free that is further away, and takes none', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    const { slotsMs } = await takeSlots(world, endpoint, 10);
    const nextMs = (slotsMs[9] ?? 0) + 1_053;
    for (let nth = 0; nth < 2; nth += 1) {
      const { status, headers, body } = await send(endpoint);
      const waitS = Math.ceil((nextMs - world.clock.nowMs()) / 1_000);
      expect([status, body.code, headers['retry-after']]).toEqual([
        429,
        'rate_limited',
        String(waitS),
      ]);
      expect(body.detail).toContain(new Date(nextMs - 1).toISOString().slice(0, -4));
      world.clock.advance(1_000);
    }
    expect(receiver.got).toEqual([]);
    world.clock.set(nextMs);
    expect((await send(endpoint)).status).toBe(200);
  });

  it('finds slots that nobody needs any more behind an endpoint that was closed', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    await takeSlots(world, endpoint, 100);
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    await ask(endpoint.tenantId, path, { body: { status: 'paused' } });
    world.clock.advance(5_000);
    expect((await send(endpoint)).status).toBe(200);
  });

  it('knows no slot where the limit was taken away', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond: 1 });
    const path = `PATCH /v1/endpoints/${endpoint.id}`;
    await ask(endpoint.tenantId, path, { body: { rateLimit: null } });
    expect((await send(endpoint)).status).toBe(200);
  });

  it.each([
    { perSecond: undefined, units: 1 + 1 + 1 },
    { perSecond: 5, units: 1 + 1 + 1 + 1 },
  ])('costs $units units with the limit $perSecond', async ({ perSecond, units }) => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { perSecond });
    world.takeUnits();
    await send(endpoint);
    expect(world.takeUnits()).toBe(units);
  });

  it('knows no endpoint of another tenant', async () => {
    const receiver = await startReceiver();
    const { id } = await newEndpoint(world, receiver.url);
    expect((await ask(newTenant(world), `POST /v1/endpoints/${id}/test`)).status).toBe(404);
    expect(receiver.got).toEqual([]);
  });
});
