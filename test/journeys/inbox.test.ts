import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { snapshotOf } from '../support/cloud.ts';
import { checkInbox } from '../support/invariants/inbox.ts';
import { parseMetrics, valueIn } from '../support/prometheus.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

interface Webhook {
  readonly id: string;
  readonly status: string;
  readonly eventId?: string;
  readonly attempts: readonly { readonly n: number }[];
  readonly deliveries?: readonly { readonly status: string }[];
}

const SECRET = 'shared with the sender';
const { apiUrl, adminKey } = inject('cloud');

let house: TenantWithReceiver;
beforeAll(async () => {
  house = await tenantWithReceiver(inject('cloud'));
});
afterAll(async () => {
  house.receiver.close();
  expect(checkInbox(await snapshotOf(house.tenantId))).toEqual([]);
});

interface Source {
  readonly id: string;
  /** Where it is told to be. */
  readonly told: string;
  /** The same, also on a cloud that has no host per API, but a path. */
  readonly url: string;
}

async function newSource(terms: object): Promise<Source> {
  const { status, body } = await house.api.post<{ id: string; url: string }>('/v1/sources', {
    name: 'Sender',
    ...terms,
  });
  expect(status, JSON.stringify(body)).toBe(201);
  const { id, url: told } = body;
  return { id, told, url: `${apiUrl}${new URL(told).pathname}` };
}

/** What a sender does: it knows the URL and the secret, and no key. */
async function send(url: string, body: Uint8Array | string, headers: Record<string, string>) {
  const answer = await fetch(url, { method: 'POST', body, headers });
  return { status: answer.status, body: (await answer.json()) as Webhook & { code?: string } };
}

const signed = (body: Uint8Array | string, secret = SECRET) => ({
  'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
});

const completed = async (id: string): Promise<Webhook> => {
  const { body } = await until(
    () => house.api.get<Webhook>(`/v1/webhooks/${id}`),
    (it) => it.body.status === 'completed',
  );
  return body;
};

const received = () =>
  house.accepted().filter((it) => it.type === 'inbox.received') as unknown as {
    readonly id: string;
    readonly data: Readonly<Record<string, unknown>>;
  }[];

describe('a webhook of another', () => {
  it('reaches the endpoints of the tenant as it was sent', async () => {
    const source = await newSource({ scheme: 'github', secret: SECRET });
    expect(source.told).toBe(`${new URL(apiUrl).origin}/v1/in/${source.id}`);
    const text = '{"ref": "main",  "n": 1.0}';
    const headers = {
      ...signed(text),
      'content-type': 'application/json',
      'x-github-event': 'push',
    };
    const { status, body } = await send(source.url, text, headers);
    expect(status).toBe(202);

    const done = await completed(body.id);
    const [webhook] = await until(
      () => received().filter(({ data }) => data.receiptId === body.id),
      (it) => it.length > 0,
    );
    expect(webhook).toMatchObject({
      id: done.eventId,
      data: { body: text, contentType: 'application/json', headers: { 'x-github-event': 'push' } },
    });
    await until(
      () => house.api.get<Webhook>(`/v1/webhooks/${body.id}`),
      (it) => it.body.deliveries?.[0]?.status === 'delivered',
    );
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded', Buffer.from('a=1&b=%20')],
    ['bytes', 'application/octet-stream', Buffer.from([0, 255, 254, 13, 10])],
    ['text that is no UTF-8', 'text/plain', Buffer.from([0xe4, 0xf6])],
    ['a large one', 'application/json', Buffer.from(JSON.stringify('x'.repeat(700_000)))],
  ])('is signed over its bytes and kept as they are: %s', async (_what, type, bytes) => {
    const source = await newSource({ scheme: 'github', secret: SECRET });
    const { status, body } = await send(source.url, bytes, {
      ...signed(bytes),
      'content-type': type,
    });
    expect(status).toBe(202);
    const headers = { authorization: `Bearer ${house.key}` };
    const answer = await fetch(`${apiUrl}/v1/webhooks/${body.id}/body`, { headers });
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('that comes 100 times at once is one receipt, one processing and one event', async () => {
    const source = await newSource({ scheme: 'github', secret: SECRET, maxBacklog: 500 });
    const text = '{"copies":100}';
    let unclear = 0;
    /** As a sender does it that got no clear answer, such as that of a gateway without room. */
    const sendClearly = async () => {
      for (;;) {
        const answer = await send(source.url, text, signed(text));
        if (answer.status < 500) return answer;
        unclear += 1;
      }
    };
    const answers = await Promise.all(Array.from({ length: 100 }, sendClearly));
    const accepted = answers.filter(({ status }) => status === 202).length;
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(100 - accepted);
    expect(unclear > 0 ? [0, 1] : [1]).toContain(accepted);
    const [id = '', ...others] = new Set(answers.map(({ body }) => body.id));
    expect(others).toEqual([]);
    expect((await completed(id)).attempts).toHaveLength(1);
  });

  it('with a wrong signature is told nothing but that', async () => {
    const source = await newSource({ scheme: 'github', secret: SECRET });
    const answers = await Promise.all([
      send(source.url, '{}', {}),
      send(source.url, '{}', signed('{}', 'another secret')),
      send(source.url, '{} ', signed('{}')),
    ]);
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['401 signature_invalid']),
    );
  });
});

describe('a webhook with an API key', () => {
  it('is taken once under its key, completes, and is replayed under its own id', async () => {
    const post = () =>
      house.api.post<Webhook>('/v1/webhooks', { order: 7 }, { 'idempotency-key': 'order-7' });
    const [first, second] = [await post(), await post()];
    expect([first.status, second.status]).toEqual([202, 200]);
    const { id, eventId } = await completed(first.body.id);
    const replay = await house.api.post<Webhook>(`/v1/webhooks/${id}/replay`);
    expect(replay.status).toBe(202);
    const again = await completed(id);
    expect(again).toMatchObject({ replayOf: eventId });
    expect(again.eventId).not.toBe(eventId);
  });
});

describe('GET /metrics', () => {
  const metrics = async () => {
    const headers = { authorization: `Bearer ${adminKey}` };
    return parseMetrics(await (await fetch(`${apiUrl}/metrics`, { headers })).text());
  };

  it('counts what all instances took in and processed, for the operator alone', async () => {
    expect((await fetch(`${apiUrl}/metrics`)).status).toBe(401);
    expect((await house.api.get('/metrics')).status).toBe(403);
    const families = await until(
      async () => {
        // An instance tells what it counted when it is called again, ten seconds later.
        await house.api.post('/v1/webhooks', { order: 8 });
        return metrics();
      },
      (it) =>
        valueIn(it, 'webhook_events_total', { result: 'accepted' }) > 0 &&
        valueIn(it, 'webhook_processed_total', { status: 'completed' }) > 0,
    );
    expect(families.get('webhook_processing_duration_seconds')?.type).toBe('HISTOGRAM');
    expect(valueIn(families, 'webhook_queue_depth')).toBeGreaterThanOrEqual(0);
  });
});
