import { afterAll, describe, expect, inject, it } from 'vitest';
import { DAY_MS } from '../../functions/shared/units.ts';
import { apiClient, type Body, newTenantOf } from '../support/api.ts';
import { sendRaw } from '../support/raw-http.ts';
import { expectRefusal } from '../support/refusal.ts';
import { type TenantWithReceiver, tenantWithReceiver } from '../support/tenant-with-receiver.ts';
import { until } from '../support/until.ts';

const cloud = inject('cloud');
const opened: TenantWithReceiver[] = [];
afterAll(() => Promise.all(opened.map((it) => it.receiver.close())));

async function open(endpoint: object = {}) {
  const tenant = await tenantWithReceiver(cloud, endpoint);
  opened.push(tenant);
  return tenant;
}

/** Sends text that no client would make of an object. */
const postText = (key: string, target: string, body: string, more: readonly string[] = []) =>
  sendRaw(cloud.apiUrl, {
    target,
    headers: [`authorization: Bearer ${key}`, 'content-type: application/json', ...more],
    body,
  });

describe('a batch of events', () => {
  it('arrives whole and byte for byte, and shows where it stands', async () => {
    const { api, key, receiver, accepted, endpointId } = await open();
    // The last two of the text are no characters, which SQS takes in no message.
    const text = '\\u00e9\\ud83c\u{1f600}\ufffe\uffff';
    const raw = Array.from({ length: 100 }, (_, n) => `{ "n":${n}.0, "t":"${text}" }`);
    const list = raw.map((data, n) => `{"type":"bulk.t${n % 4}","data":${data}}`);
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const sent = await postText(key, '/v1/events/batch', `{"events":[${list}]}`, [
      'idempotency-key: bulk',
      `traceparent: ${traceparent}`,
    ]);
    expect(sent.status, sent.text.slice(0, 500)).toBe(202);
    const ids = (JSON.parse(sent.text) as { data: { id: string }[] }).data.map((it) => it.id);

    await until(accepted, (it) => it.length === 100);
    for (const [place, id] of ids.entries()) {
      const webhook = receiver.received.find((it) => it.id === id);
      expect(webhook?.verdict).toBe('valid');
      expect(webhook?.headers.traceparent).toBe(traceparent);
      expect(webhook?.body.toString().endsWith(`,"data":${raw[place]}}`)).toBe(true);
    }
    const event = await until(
      () => api.get(`/v1/events/${ids[99]}`),
      ({ body }) => JSON.stringify(body.deliveries).includes('"delivered"'),
    );
    expect(event.body.deliveries).toMatchObject([{ endpointId, attempts: 1 }]);
    const { body } = await api.get<{ data: Body[] }>('/v1/events?type=bulk.t3&limit=100');
    expect(body.data).toHaveLength(25);
  });

  it('is one batch for copies of it that come at once', async () => {
    const { api } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const events = Array.from({ length: 100 }, (_, n) => ({ type: 'copies', data: n }));
    const headers = { 'idempotency-key': 'copies' };
    const copies = Array.from({ length: 6 }, () =>
      api.post('/v1/events/batch', { events }, headers),
    );
    const answers = await Promise.all(copies);
    expect(new Set(answers.map((it) => it.status))).toEqual(new Set([202]));
    const listed = await until(
      () => api.get<{ data: Body[]; hasMore: boolean }>('/v1/events?limit=100'),
      ({ body }) => body.data.length === 100,
    );
    expect(listed.body.hasMore).toBe(false);
  });
});

describe('an alert', () => {
  it('reaches the one endpoint', async () => {
    const { api, accepted, endpointId } = await open({ eventTypes: ['nothing.else'] });
    const asked = { endpointId, userId: 'user-7', message: 'Sorry' };
    expect((await api.post('/v1/alerts', asked)).status).toBe(202);
    const [event] = await until(accepted, (it) => it.length === 1);
    expect(event).toMatchObject({ type: 'alert', data: { userId: 'user-7', message: 'Sorry' } });
  });
});

describe('a limit of events a day', () => {
  /** So much of the day must be left that it does not end in the middle. */
  const LEFT_MS = 120_000;

  it('holds for all instances, and tells when the day ends', async () => {
    await until(
      () => Date.now() % DAY_MS,
      (ms) => ms < DAY_MS - LEFT_MS,
    );
    const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const admin = apiClient(cloud.apiUrl, cloud.adminKey);
    await admin.send(`/v1/tenants/${tenantId}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ limits: { dailyEvents: 30 } }),
    });
    const post = () => api.post('/v1/events', { type: 'limited', data: 1 });
    const answers = await Promise.all(Array.from({ length: 60 }, post));
    const statuses = Map.groupBy(answers, (it) => it.status);
    expect([statuses.get(202)?.length, statuses.get(429)?.length]).toEqual([30, 30]);
    const wait = Number(statuses.get(429)?.[0]?.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(86_400);
  });
});

describe('a hostile client', () => {
  const event = '{"type":"a","data":1}';
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

  it.each([
    ['/v1/events/batch', `{"events":[${'0,'.repeat(400_000)}0]}`, 'payload_too_large'],
    ['/v1/events/batch', `{"events":[${Array(101).fill(event)}]}`, 'payload_too_large'],
    ['/v1/events/batch', `{"events":[${event}]}${' '.repeat(1_048_576)}`, 'payload_too_large'],
    ['/v1/events/batch', `{"events":${deep(40)}}`, 'malformed_json'],
    ['/v1/events/batch', `{"events":[{"type":"a","data":${deep(30)}}]}`, 'malformed_json'],
    ['/v1/events/batch', `{"events":[{"type":"a","data":1,"data":2}]}`, 'malformed_json'],
    ['/v1/events/batch', '{"events":{"0":1,"length":1}}', 'validation_failed'],
    ['/v1/events/batch', '{"events":[[]]}', 'validation_failed'],
    ['/v1/events/batch', '[]', 'validation_failed'],
    ['/v1/events/batch', 'null', 'validation_failed'],
    ['/v1/events', `{"type":"a","data":"${'\\n'.repeat(40_000)}"}`, 'payload_too_large'],
    ['/v1/events', '{"type":["a"],"data":1}', 'validation_failed'],
    ['/v1/events', '{"type":"a","data":1,"id":"evt_1"}', 'validation_failed'],
    ['/v1/events', '{"type":"a","data":1,"__proto__":{"to":"x"}}', 'malformed_json'],
    ['/v1/events', '{"type":"a","data":{"a":"\\u0000"}', 'malformed_json'],
    ['/v1/alerts', '{"endpointId":"end_","userId":{"$gt":""}}', 'validation_failed'],
  ] as const)('is refused at %s, body %#', async (target, body, code) => {
    const { key, api } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    expectRefusal(await postText(key, target, body), code, { target });
    expect((await api.get<{ data: Body[] }>('/v1/events')).body.data).toEqual([]);
  });

  it('may send half a million numbers and a text full of escapes', async () => {
    const { key } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const some = Array.from({ length: 15 }, () => `{"type":"a","data":[${'0,'.repeat(32_000)}0]}`);
    const numbers = await postText(key, '/v1/events/batch', `{"events":[${some}]}`, [
      'idempotency-key: numbers',
    ]);
    expect(numbers.status, numbers.text.slice(0, 300)).toBe(202);
    const escapes = `{"type":"a","data":"${'\\"'.repeat(32_000)}"}`;
    expect((await postText(key, '/v1/events', escapes)).status).toBe(202);
    const page = await apiClient(cloud.apiUrl, key).get<{ data: Body[] }>('/v1/events?limit=100');
    expect([page.status, page.body.data.length]).toEqual([200, 16]);
  });

  it('learns nothing of another tenant', async () => {
    const mine = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const other = await open();
    const theirs = await other.api.post('/v1/events', { type: 'secret', data: 1 });
    const id = String(theirs.body.id);
    const { endpointId } = other;
    expect((await mine.api.get(`/v1/events/${id}`)).status).toBe(404);
    expect((await mine.api.post('/v1/alerts', { endpointId, userId: 'u' })).status).toBe(404);
    const batch = { events: [{ type: 'a', data: 1, endpointId }] };
    expect((await mine.api.post('/v1/events/batch', batch)).status).toBe(404);
    expect((await mine.api.get<{ data: Body[] }>('/v1/events')).body.data).toEqual([]);
    const page = await other.api.get<{ nextCursor?: string }>('/v1/events?limit=1');
    expect(page.status).toBe(200);
    for (const path of [`/v1/events/${id}/`, `/v1/events/${id}%00`, '/v1/events/..%2Ftenants']) {
      expect((await mine.api.get(path)).status).toBe(404);
    }
  });

  it('gets neither by a key without the scope', async () => {
    const { api } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
    const keyOf = async (scope: string) => {
      const made = await api.post<{ key: string }>('/v1/keys', { name: scope, scopes: [scope] });
      return apiClient(cloud.apiUrl, made.body.key);
    };
    const [reader, writer] = [await keyOf('events:read'), await keyOf('events:write')];
    const event = { type: 'a', data: 1 };
    expect((await reader.post('/v1/events/batch', { events: [event] })).status).toBe(403);
    expect((await reader.post('/v1/alerts', {})).status).toBe(403);
    expect((await writer.get('/v1/events')).status).toBe(403);
    expect((await writer.post('/v1/events/batch', { events: [event] })).status).toBe(202);
    expect((await reader.get('/v1/events')).status).toBe(200);
  });
});
