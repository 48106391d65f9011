import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, apiClient, newTenantOf } from '../support/api.ts';
import { parseMetrics, valueIn } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey } = inject('cloud');
let api: ApiClient;
beforeAll(async () => {
  api = (await newTenantOf(apiUrl, adminKey)).api;
});

const json = { 'content-type': 'application/json', 'idempotency-key': 'k' };

it('answers its health without a key', async () => {
  const beforeMs = Date.now();
  const { status, body } = await apiClient(apiUrl, 'none').get('/health');

  expect([status, body.status]).toEqual([200, 'ok']);
  expect(Date.parse(String(body.time))).toBeGreaterThanOrEqual(beforeMs);
  expect(Date.parse(String(body.time))).toBeLessThanOrEqual(Date.now());
});

it('asks for the depth of a queue with something in it, and for its age', async () => {
  const dueAt = new Date(Date.now() + 90_000).toISOString();
  const action = { type: 'event', eventType: 'order.due', data: {} };
  const task = await api.post('/v1/tasks', { dueAt, action });
  expect(task.status).toBe(201);

  const source = 'oldest messages';
  const families = await until(
    async () => {
      const headers = { authorization: `Bearer ${adminKey}` };
      return parseMetrics(await (await fetch(`${apiUrl}/metrics`, { headers })).text());
    },
    (it) =>
      valueIn(it, 'tallyhook_queue_depth', { queue: 'tasks' }) > 0 &&
      valueIn(it, 'tallyhook_scrape_errors', { source }) === 0,
  );

  expect(families.get('tallyhook_oldest_message_seconds')?.type).toBe('GAUGE');
  await api.send(`/v1/tasks/${task.body.id}`, { method: 'DELETE' });
});

describe('what no route answers', () => {
  it('is a 404 as problem+json', async () => {
    const { status, headers, body } = await api.get('/v1/nothing');

    expect(status).toBe(404);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ code: 'not_found', status: 404, instance: '/v1/nothing' });
    expect(headers.get('ratelimit')).toBeNull();
  });

  it('is a 405 with Allow where another method is mounted', async () => {
    const { status, headers, body } = await api.send('/v1/accounts', { method: 'DELETE' });

    expect([status, body.code]).toEqual([405, 'method_not_allowed']);
    expect(headers.get('allow')).toBe('GET, POST');
  });
});

describe('request ids', () => {
  it('echoes one that is well-formed', async () => {
    const { headers } = await api.send('/v1/accounts', { headers: { 'x-request-id': 'my-1' } });

    expect(headers.get('x-request-id')).toBe('my-1');
  });

  it.each(['a b', 'x'.repeat(65), 'ü'])('makes its own instead of %j', async (given) => {
    const headers = { 'x-request-id': encodeURIComponent(given).replaceAll('%', ' ') };
    const answer = await api.send('/v1/nothing', { headers });

    const made = answer.headers.get('x-request-id');
    expect(made).toMatch(/^req_[0-9A-Z]{26}$/);
    expect(answer.body.requestId).toBe(made);
  });
});

describe('bad requests are refused with what is wrong and where', () => {
  const good = '{"type":"credit","accountId":"acc_00000000000000000000000000","currency":"EUR"';
  it.each([
    ['no JSON', '{', {}, 400, 'malformed_json'],
    ['a name twice', '{"currency":"EUR","currency":"USD"}', {}, 400, 'malformed_json'],
    ['no content type', '{}', { 'content-type': '' }, 415, 'unsupported_media_type'],
    [
      'a form',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
    ],
    ['an encoded body', '{}', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['257 KB', `{"a":"${'x'.repeat(257 * 1024)}"}`, {}, 413, 'payload_too_large'],
    [
      'an empty key',
      `${good},"amount":"1"}`,
      { 'idempotency-key': '' },
      400,
      'idempotency_key_invalid',
    ],
    [
      'a key with a blank',
      `${good},"amount":"1"}`,
      { 'idempotency-key': 'a b' },
      400,
      'idempotency_key_invalid',
    ],
    [
      'a key of 256',
      `${good},"amount":"1"}`,
      { 'idempotency-key': 'x'.repeat(256) },
      400,
      'idempotency_key_invalid',
    ],
    ['amount 0', `${good},"amount":"0"}`, {}, 422, 'invalid_amount'],
    ['amount -1', `${good},"amount":"-1"}`, {}, 422, 'invalid_amount'],
    ['amount 1.5', `${good},"amount":1.5}`, {}, 422, 'invalid_amount'],
    ['amount 1e3', `${good},"amount":1e3}`, {}, 422, 'invalid_amount'],
    ['amount 01', `${good},"amount":"01"}`, {}, 422, 'invalid_amount'],
    ['amount 2^53+1', `${good},"amount":9007199254740993}`, {}, 422, 'invalid_amount'],
    ['amount above 10^18', `${good},"amount":"1000000000000000001"}`, {}, 422, 'invalid_amount'],
    ['amount true', `${good},"amount":true}`, {}, 422, 'invalid_amount'],
    ['no amount', `${good}}`, {}, 422, 'validation_failed'],
  ])('%s', async (_what, body, headers, status, code) => {
    const answer = await api.send('/v1/transactions', {
      method: 'POST',
      headers: { ...json, ...headers },
      body,
    });

    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('lists every fault of a body with its pointer', async () => {
    const { body } = await api.post('/v1/transactions', {
      type: 'transfer',
      sourceAccountId: 'acc_1',
      amount: '5',
      currency: 'euro',
      metadata: { 'a/b': 7 },
      surprise: 1,
    });

    expect(body.code).toBe('validation_failed');
    const faults = body.errors as { pointer: string; code: string }[];
    expect(faults.map(({ pointer, code }) => `${pointer} ${code}`).sort()).toEqual([
      '/currency invalid',
      '/destinationAccountId required',
      '/metadata/a~1b invalid',
      '/sourceAccountId invalid',
      '/surprise unknown_field',
    ]);
  });

  it.each(['constructor', 'toString', 'length', 'hasOwnProperty'])(
    'keeps the metadata key %s like any other',
    async (name) => {
      const metadata = { [name]: 'kept' };
      const { status, body } = await api.post('/v1/accounts', { currency: 'EUR', metadata });

      expect([status, body.metadata]).toEqual([201, metadata]);
    },
  );

  it('needs an Idempotency-Key where money moves', async () => {
    const answer = await api.send('/v1/transactions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `${good},"amount":"1"}`,
    });

    expect([answer.status, answer.body.code]).toEqual([400, 'idempotency_key_required']);
  });
});
