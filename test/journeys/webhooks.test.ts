import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, it } from 'vitest';
import type { ReceiverOptions } from '../../local/receiver/server.ts';
import { type Body, newAccount } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { checkDeliveries } from '../support/invariants/deliveries.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

const cloud = inject('cloud');
const opened: TenantWithReceiver[] = [];
afterAll(() => Promise.all(opened.map((it) => it.receiver.close())));

async function open(endpoint: object = {}, behaviour: ReceiverOptions = {}) {
  const tenant = await tenantWithReceiver(cloud, endpoint, behaviour);
  opened.push(tenant);
  return tenant;
}

/** A schedule that a test can wait for. */
const quick = (maxAttempts: number) => ({ retry: { maxAttempts, schedule: [1] } });

describe('a transfer', () => {
  it('reaches the endpoint signed, with the accounts as they were then', async () => {
    const { api, accepted, receiver } = await open({ eventTypes: ['transaction.posted'] });
    const [a, b] = await Promise.all([newAccount(api, '1000'), newAccount(api)]);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const transfer = await api.post(
      '/v1/transactions',
      {
        type: 'transfer',
        sourceAccountId: a,
        destinationAccountId: b,
        amount: '250',
        currency: 'EUR',
      },
      { traceparent },
    );

    const events = await until(accepted, (it) => it.length === 2);
    const event = events.find((it) => (it.data as Body).id === transfer.body.id);

    expect(event).toMatchObject({
      type: 'transaction.posted',
      data: {
        id: transfer.body.id,
        entries: [
          { accountId: a, amount: '-250', balanceAfter: '750' },
          { accountId: b, amount: '250', balanceAfter: '250' },
        ],
      },
    });
    const webhook = receiver.received.find((it) => it.id === event?.id);
    expect(webhook).toMatchObject({ verdict: 'valid', attempt: 1 });
    expect(webhook?.headers).toMatchObject({
      traceparent,
      'user-agent': 'Tallyhook/1',
      'content-type': 'application/json',
      'webhook-attempt': '1',
    });
  });
});

describe('an event of your own', () => {
  it('arrives byte for byte as it was sent', async () => {
    const { api, receiver } = await open();
    const data = '{"exact": 12345678901234567890.10, "text":"\\u00e9 ü 🙂", "list":[1, 2]}';
    await api.send('/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"type":"order.paid","data":${data}}`,
    });

    const [webhook] = await until(
      () => receiver.received,
      (it) => it.length === 1,
    );

    expect(webhook?.body.toString()).toContain(`"data":${data}`);
    expect(webhook?.verdict).toBe('valid');
  });

  it('goes to the endpoints whose filters match, and to no others', async () => {
    const orders = await open({ eventTypes: ['order.*'] });
    const other = await orders.api.post<{ id: string }>('/v1/endpoints', {
      url: orders.receiver.url,
      eventTypes: ['invoice.sent'],
      secret: orders.secret,
    });

    const events = await Promise.all(
      ['order.paid', 'order.paid.late', 'ordering', 'invoice.sent'].map((type) =>
        orders.api.post<{ id: string }>('/v1/events', { type, data: { type } }),
      ),
    );

    const types = await until(
      () => orders.receiver.received.map((it) => JSON.parse(it.body.toString()).type),
      (it) => it.length === 3,
    );
    expect(types.toSorted()).toEqual(['invoice.sent', 'order.paid', 'order.paid.late']);
    const [, , unwanted] = events;
    const none = await orders.api.get<List>(`/v1/deliveries?eventId=${unwanted?.body.id}`);
    expect(none.body.data).toEqual([]);
    const one = await orders.api.get<List>(`/v1/deliveries?endpointId=${other.body.id}`);
    expect(one.body.data.map((it) => it.eventType)).toEqual(['invoice.sent']);
  });

  it('is one event however often it is sent with one Idempotency-Key', async () => {
    const { api, accepted } = await open();
    const key = { 'idempotency-key': randomUUID() };
    const event = { type: 'order.paid', data: 1 };

    const all = await Promise.all(
      Array.from({ length: 5 }, () => api.post('/v1/events', event, key)),
    );
    const reused = await api.post('/v1/events', { ...event, data: 2 }, key);
    await api.post('/v1/events', { type: 'order.last', data: 0 });

    expect(new Set(all.map((it) => it.body.id)).size).toBe(1);
    expect(reused.body.code).toBe('idempotency_key_reused');
    const types = await until(accepted, (it) => it.some(({ type }) => type === 'order.last'));
    await until(accepted, (it) => it.length === 2);
    expect(types.length).toBeLessThanOrEqual(2);
  });

  it('goes to one endpoint only when it names that, which has to be there', async () => {
    const { api, endpointId, receiver, accepted } = await open({ eventTypes: ['other'] });
    await api.post('/v1/endpoints', { url: receiver.url, eventTypes: ['order.*'] });
    const stranger = await open();

    await api.post('/v1/events', { type: 'order.paid', data: { amount: 12.5 }, endpointId });
    const theirs = await stranger.api.post('/v1/events', { type: 'a', data: 1, endpointId });

    const events = await until(accepted, (it) => it.length === 1);
    expect(events[0]).toMatchObject({ type: 'order.paid', data: { amount: 12.5 } });
    expect([theirs.status, theirs.body.code]).toEqual([404, 'not_found']);
  });

  it('may not look like one of ours', async () => {
    const { api } = await open();
    const { status, body } = await api.post('/v1/events', { type: 'transaction.posted', data: 1 });

    expect([status, body.code]).toEqual([422, 'validation_failed']);
  });
});

describe('a receiver that fails', () => {
  it('is tried again by its schedule, and every attempt is on record', async () => {
    const { api, endpointId } = await open(quick(5), { failNext: 2 });
    await api.post('/v1/events', { type: 'order.paid', data: 1 });

    const delivery = await until(
      async () => (await api.get<List>(`/v1/deliveries?endpointId=${endpointId}`)).body.data[0],
      (it) => it?.status === 'delivered',
    );

    expect(delivery?.attempts.map(({ n, outcome, status }) => [n, outcome, status])).toEqual([
      [1, 'failed', 500],
      [2, 'failed', 500],
      [3, 'delivered', 200],
    ]);
    const [first, second] = delivery?.attempts ?? [];
    const gapMs = Date.parse(second?.at ?? '') - Date.parse(first?.at ?? '');
    expect(gapMs).toBeGreaterThanOrEqual(800);
  });

  it('leaves an exhausted delivery visible, which one call sends again', async () => {
    const { api, endpointId, receiver } = await open(quick(2), { failShare: 1 });
    await api.post('/v1/events', { type: 'order.paid', data: 1 });
    const exhausted = await until(
      async () => (await api.get<List>('/v1/deliveries?status=exhausted')).body.data[0],
      (it) => it !== undefined,
    );
    expect(exhausted).toMatchObject({ endpointId, status: 'exhausted', eventType: 'order.paid' });
    expect(exhausted?.attempts).toHaveLength(2);

    receiver.behave({ failShare: 0 });
    const retried = await api.post(`/v1/deliveries/${exhausted?.id}/retry`);
    expect(retried.status).toBe(202);

    const delivered = await until(
      async () => (await api.get<Delivery>(`/v1/deliveries/${exhausted?.id}`)).body,
      (it) => it.status === 'delivered',
    );
    expect(delivered.attempts).toHaveLength(3);
    const again = await api.post(`/v1/deliveries/${exhausted?.id}/retry`);
    expect([again.status, again.body.code]).toEqual([409, 'not_retryable']);
    const forced = await api.post(`/v1/deliveries/${exhausted?.id}/retry?force=true`);
    expect(forced.status).toBe(202);
    await until(
      () => receiver.received.length,
      (it) => it === 4,
    );
  });

  it('that cuts the connection is an unknown outcome, and the next copy says so', async () => {
    const { api, receiver } = await open(quick(3), { resetNext: 1 });
    await api.post('/v1/events', { type: 'order.paid', data: 1 });

    const [first, second] = await until(
      () => receiver.received,
      (it) => it.length === 2,
    );

    expect(first?.headers['webhook-possible-duplicate']).toBeUndefined();
    expect(second?.headers['webhook-possible-duplicate']).toBe('1');
    expect(second?.id).toBe(first?.id);
  });

  it('that is too busy is left alone for as long as it says, which spends no attempt', async () => {
    const { api, endpointId, receiver } = await open(quick(1), { perSecond: 0.5 });
    await Promise.all(
      [1, 2, 3].map((data) => api.post('/v1/events', { type: 'order.paid', data })),
    );

    await until(
      () => receiver.accepted(),
      (it) => it === 3,
    );

    const list = await until(
      async () => (await api.get<List>(`/v1/deliveries?endpointId=${endpointId}`)).body.data,
      (it) => it.every(({ status }) => status === 'delivered'),
    );
    expect(list).toHaveLength(3);
  });
});

describe('endpoints', () => {
  it.each([
    ['no URL', 'nonsense'],
    ['another scheme', 'ftp://127.0.0.1/'],
    ['credentials in it', 'http://a:b@127.0.0.1:1/'],
    ['a private address', 'https://10.0.0.1/'],
    ['a link-local address', 'http://169.254.169.254/latest/meta-data'],
  ])('with %s are refused', async (_what, url) => {
    const { api } = opened[0] ?? (await open());
    const { status, body } = await api.post('/v1/endpoints', { url });

    expect([status, body.code]).toEqual([422, 'url_not_allowed']);
  });

  it('show their secret once, and again to those who may write', async () => {
    const { api, endpointId, secret } = await open();
    const shown = await api.get(`/v1/endpoints/${endpointId}`);
    const revealed = await api.get(`/v1/endpoints/${endpointId}/secret`);

    expect(secret).toMatch(/^whsec_/);
    expect(JSON.stringify(shown.body)).not.toContain('whsec_');
    expect(revealed.body.secret).toBe(secret);
  });
});

it('leaves no delivery open and no event without its deliveries', async () => {
  for (const { tenantId, receiver } of opened) {
    receiver.behave({ failShare: 0 });
    const violations = await until(
      async () => checkDeliveries(await snapshotOf(tenantId)),
      (it) => it.length === 0,
    );
    expect(violations).toEqual([]);
  }
});

interface Delivery extends Body {
  readonly id: string;
  readonly endpointId: string;
  readonly eventType: string;
  readonly status: string;
  readonly attempts: readonly {
    readonly n: number;
    readonly at: string;
    readonly outcome: string;
    readonly status?: number;
  }[];
}

interface List {
  readonly data: readonly Delivery[];
}
