import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, apiClient, newAccount, newTenantOf } from '../support/api.ts';
import { type RawRequest, sendBytes, sendRaw } from '../support/raw-http.ts';
import { expectRefusal } from '../support/refusal.ts';

const { apiUrl, adminKey } = inject('cloud');
let api: ApiClient;
let key: string;
let account: string;
beforeAll(async () => {
  ({ api, key } = await newTenantOf(apiUrl, adminKey));
  account = await newAccount(api, '1000');
});

afterAll(async () => {
  expect((await api.get(`/v1/accounts/${account}`)).body).toMatchObject({ balance: '1000' });
});

const ask = (target: string, request: Partial<RawRequest> = {}) =>
  sendRaw(apiUrl, {
    method: 'GET',
    target,
    ...request,
    headers: [`authorization: Bearer ${key}`, ...(request.headers ?? [])],
  });

const debit = (amount: string) =>
  `{"type":"debit","accountId":"${account}","currency":"EUR","amount":${amount}}`;

const move = (headers: readonly string[], body = debit('"5000"')) =>
  ask('/v1/transactions', {
    method: 'POST',
    headers: ['content-type: application/json', ...headers],
    body,
  });

describe('an Idempotency-Key', () => {
  it('has to be there where money moves', async () => {
    const target = '/v1/transactions';
    expectRefusal(await move([]), 'idempotency_key_required', { target });
  });

  it.each([
    ['nothing', ''],
    ['blanks', '   '],
    ['nothing in quotes', '""'],
    ['a blank in it', 'a b'],
    ['a tab in it', 'a\tb'],
    ['a blank in quotes', '"a b"'],
    ['256 characters', 'x'.repeat(256)],
    ['256 characters in quotes', `"${'x'.repeat(256)}"`],
    ['a letter that is not ASCII', 'schlüssel'],
    ['an emoji', '🔑'],
    ['a soft hyphen', 'a\u00adb'],
  ])('of %s is not valid', async (_what, given) => {
    const target = '/v1/transactions';
    expectRefusal(await move([`idempotency-key: ${given}`]), 'idempotency_key_invalid', { target });
  });

  it.each([
    ['255 characters', 'x'.repeat(255)],
    ['255 characters in quotes', `"${'y'.repeat(255)}"`],
    ['one quote', '"'],
    ['signs', "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"],
  ])('of %s is one', async (_what, given) => {
    expectRefusal(await move([`idempotency-key: ${given}`]), 'insufficient_funds');
  });

  it('means the same bare and in quotes', async () => {
    const name = randomUUID();
    await move([`idempotency-key: ${name}`]);
    const again = await move([`idempotency-key: "${name}"`]);

    expectRefusal(again, 'insufficient_funds');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });

  it.each([
    ['another amount', '"5001"'],
    ['the same amount as a number', '5000'],
    ['one more field', '"5000","reference":"r"'],
  ])('is not used twice, for %s', async (_what, amount) => {
    const target = '/v1/transactions';
    const name = `idempotency-key: ${randomUUID()}`;
    await move([name]);

    expectRefusal(await move([name], debit(amount)), 'idempotency_key_reused', { target });
  });

  it('does not mind blanks and the order of names', async () => {
    const name = `idempotency-key: ${randomUUID()}`;
    await move([name]);
    const body = `{"amount" : "5000","currency":"EUR","accountId":"${account}","type":"debit"}`;

    expect((await move([name], body)).headers.get('idempotent-replayed')).toBe('true');
  });
});

describe('a key of the API', () => {
  const detail = 'Send a valid key: Authorization: Bearer th_….';
  it.each<[string, (good: string) => readonly string[]]>([
    ['none', () => []],
    ['an empty one', () => ['authorization:']],
    ['a scheme alone', () => ['authorization: Bearer']],
    ['another scheme', (good) => [`authorization: Basic ${good}`]],
    ['no scheme', (good) => [`authorization: ${good}`]],
    ['noise', () => ['authorization: Bearer th_live_nonsense']],
    ['a cut one', (good) => [`authorization: Bearer ${good.slice(0, -1)}`]],
    ['a longer one', (good) => [`authorization: Bearer ${good}A`]],
    ['another last letter', (good) => [`authorization: Bearer ${otherLast(good)}`]],
    ['two of them', (good) => Array(2).fill(`authorization: Bearer ${good}`)],
    ['two in one', (good) => [`authorization: Bearer ${good}, Bearer ${good}`]],
    ['small letters', (good) => [`authorization: Bearer ${good.toLowerCase()}`]],
    ['10,000 letters', () => [`authorization: Bearer ${'x'.repeat(10_000)}`]],
    ['one of nobody', () => [`authorization: Bearer th_live_${'0'.repeat(26)}_${'a'.repeat(43)}`]],
    ['almost that of the operator', () => [`authorization: Bearer ${adminKey}x`]],
    ['another header', (good) => [`x-api-key: ${good}`]],
  ])('%s is unauthorized, always in the same words', async (_what, headersOf) => {
    const target = '/v1/accounts';
    const headers = headersOf(key);
    const answer = await sendRaw(apiUrl, { method: 'GET', target, headers });

    expect(expectRefusal(answer, 'unauthorized', { target }).detail).toBe(detail);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tallyhook"');
  });

  it('does not open the routes of the operator, nor that of the operator a tenant’s', async () => {
    const headers = [`authorization: Bearer ${adminKey}`];
    const target = '/v1/accounts';
    const asOperator = await sendRaw(apiUrl, { method: 'GET', target, headers });
    expectRefusal(asOperator, 'forbidden_scope', { target });

    const tenants = { method: 'POST', headers: ['content-type: application/json'], body: '{' };
    expectRefusal(await ask('/v1/tenants', tenants), 'forbidden_scope', { target: '/v1/tenants' });
  });

  it('is asked for before anything else is looked at', async () => {
    const answer = await sendRaw(apiUrl, { target: '/v1/accounts?x=1', headers: [], body: '{' });
    expectRefusal(answer, 'unauthorized');
  });
});

describe('an id that is none is answered like one of nobody', () => {
  const nobodys = `acc_${'0'.repeat(26)}`;
  it.each([
    ...['x', 'acc', 'acc_', 'null', 'undefined', '-1', '*', '%7Bid%7D', '%00', '%20', '%25', '%ZZ'],
    ...[`ACC_${'0'.repeat(26)}`, `txn_${'0'.repeat(26)}`, `${nobodys}0`, nobodys.slice(0, -1)],
    ...[`acc_8${'0'.repeat(25)}`, `acc_${'I'.repeat(26)}`, `acc_${'a'.repeat(26)}`],
    ...[`${nobodys}%00`, `${nobodys}%0A`, `${nobodys}%20`, `%20${nobodys}`, `${nobodys};v=1`],
    ...[`..%2F${nobodys}`, `${nobodys}%2F`, `%2e%2e%2f`, `${nobodys}%23`, `x%27%20OR%201%3D1`],
    ...['%EF%BC%90', '%F0%9F%94%91', '%FF%FE', `acc_${'%EF%BC%90'.repeat(26)}`, 'x'.repeat(4_000)],
  ])('%s', async (given) => {
    const target = `/v1/accounts/${given}`;
    const answer = await ask(target);
    const {
      requestId: _r,
      instance: _i,
      ...body
    } = Object(expectRefusal(answer, 'not_found', { target }));

    const other = JSON.parse((await ask(`/v1/accounts/${nobodys}`)).text);
    const { requestId: _r2, instance: _i2, ...expected } = other;
    expect(body).toEqual(expected);
  });
});

describe('a query', () => {
  it.each([
    ...['limit=0', 'limit=101', 'limit=abc', 'limit=1e1', 'limit=%205', 'limit=-1', 'limit=1.5'],
    ...['limit=', 'limit', 'limit=025', 'limit=%EF%BC%95', 'limit=5&limit=6', 'limit=5%00'],
    ...['limit=9007199254740993', 'limit=null', `limit=${'9'.repeat(2_000)}`],
  ])('?%s is refused', async (query) => {
    const target = `/v1/accounts?${query}`;
    expectRefusal(await ask(target), 'validation_failed', { target, faults: ['?limit invalid'] });
  });

  it.each([
    ['Limit=5', '?Limit'],
    ['limit[]=5', '?limit[]'],
    ['page=2', '?page'],
    ['__proto__=1', '?__proto__'],
    ['constructor=1', '?constructor'],
    ['=1', '?'],
    ['%00=1', '?\0'],
  ])('?%s is not known', async (query, pointer) => {
    const target = `/v1/accounts?${query}`;
    const faults = [`${pointer} unknown_field`];
    expectRefusal(await ask(target), 'validation_failed', { target, faults });
  });

  it.each([
    ['/v1/endpoints?status=gone', '?status'],
    ['/v1/endpoints?status=active&status=paused', '?status'],
    ['/v1/transactions?reference=a&reference=b', '?reference'],
    ['/v1/accounts?cursor=a&cursor=a', '?cursor'],
    ['/v1/deliveries', '?status'],
    ['/v1/deliveries?status=delivered', '?status'],
    ['/v1/deliveries?status=exhausted,nonsense', '?status/1'],
    ['/v1/deliveries?eventId=evt_1', '?eventId'],
  ])('%s is refused at %s', async (target, pointer) => {
    const { errors = [] } = expectRefusal(await ask(target), 'validation_failed', { target });
    expect(errors.map((it) => it.pointer)).toEqual([pointer]);
  });

  it('is refused where a route has none, above all where money moves', async () => {
    const target = '/v1/transactions?dryRun=true';
    const answer = await ask(target, {
      method: 'POST',
      headers: ['content-type: application/json', 'idempotency-key: query'],
      body: debit('"1"'),
    });
    const faults = ['?dryRun unknown_field'];
    expectRefusal(answer, 'validation_failed', { target, faults });
  });

  it.each(['limit=1', 'limit=100', 'limit=%31', ''])('?%s is answered', async (query) => {
    expect((await ask(`/v1/accounts?${query}`)).status).toBe(200);
  });
});

describe('a cursor', () => {
  let cursor: string;
  let foreign: string;
  let filtered: string;
  const firstOf = async (of: ApiClient, path: string) =>
    String((await of.get(path)).body.nextCursor);
  beforeAll(async () => {
    const other = await newTenantOf(apiUrl, adminKey);
    for (const of of [api, other.api]) {
      await newAccount(of);
      await newAccount(of);
      for (const n of [1, 2]) await of.post('/v1/endpoints', { url: `http://127.0.0.1:9/${n}` });
    }
    cursor = await firstOf(api, '/v1/accounts?limit=1');
    foreign = await firstOf(other.api, '/v1/accounts?limit=1');
    filtered = await firstOf(api, '/v1/endpoints?limit=1&status=active');
  });

  it('leads to the next page of its own list', async () => {
    expect((await ask(`/v1/accounts?limit=1&cursor=${cursor}`)).status).toBe(200);
    const next = `/v1/endpoints?limit=1&status=active&cursor=${filtered}`;
    expect((await ask(next)).status).toBe(200);
  });

  it.each<[string, () => string]>([
    ['another tenant', () => `/v1/accounts?cursor=${foreign}`],
    ['another list', () => `/v1/endpoints?cursor=${cursor}`],
    ['another filter', () => `/v1/endpoints?cursor=${filtered}`],
    ['one more filter', () => `/v1/endpoints?status=paused&cursor=${filtered}`],
    ['a changed position', () => `/v1/accounts?cursor=${changed(cursor, 8)}`],
    ['a changed MAC', () => `/v1/accounts?cursor=${changed(cursor, cursor.indexOf('.') + 5)}`],
    ['a cut MAC', () => `/v1/accounts?cursor=${cursor.slice(0, -1)}`],
    ['no MAC', () => `/v1/accounts?cursor=${cursor.split('.')[0]}`],
    ['an empty MAC', () => `/v1/accounts?cursor=${cursor.split('.')[0]}.`],
    ['a part more', () => `/v1/accounts?cursor=${cursor}.x`],
    ['padding', () => `/v1/accounts?cursor=${cursor}=`],
    ['a blank more', () => `/v1/accounts?cursor=${cursor}%20`],
    ['the MAC of another', () => `/v1/accounts?cursor=e30.${cursor.split('.')[1]}`],
    ['twice itself', () => `/v1/accounts?cursor=${cursor},${cursor}`],
    ['a list that has one page', () => `/v1/accounts?externalId=x&cursor=${cursor}`],
    ['nothing', () => '/v1/accounts?cursor='],
    ['noise', () => '/v1/accounts?cursor=AAAA'],
    ['JSON', () => '/v1/accounts?cursor=%7B%22pk%22%3A%22x%22%7D'],
    ['NUL', () => '/v1/accounts?cursor=%00'],
  ])('of %s is invalid_cursor', async (_what, targetOf) => {
    const target = targetOf();
    expectRefusal(await ask(target), 'invalid_cursor', { target });
  });

  it('of more than 1,000 characters is not looked at', async () => {
    const target = `/v1/accounts?cursor=${'x'.repeat(1_001)}`;
    expectRefusal(await ask(target), 'validation_failed', { target, faults: ['?cursor invalid'] });
  });
});

describe('what the state of things does not allow', () => {
  const post = (target: string, body: object) =>
    ask(target, {
      method: 'POST',
      headers: ['content-type: application/json', `idempotency-key: ${randomUUID()}`],
      body: JSON.stringify(body),
    });
  const money = { amount: '1', currency: 'EUR' };

  it('more than there is: insufficient_funds', async () => {
    const body = { type: 'debit', accountId: account, ...money, amount: '1001' };
    expectRefusal(await post('/v1/transactions', body), 'insufficient_funds');
  });

  it('another currency: currency_mismatch', async () => {
    const body = { type: 'credit', accountId: account, ...money, currency: 'USD' };
    expectRefusal(await post('/v1/transactions', body), 'currency_mismatch');
  });

  it('from an account to itself: same_account', async () => {
    const ends = { sourceAccountId: account, destinationAccountId: account };
    const body = { type: 'transfer', ...ends, ...money };
    expectRefusal(await post('/v1/transactions', body), 'same_account');
  });

  it('an external id that is taken: conflict', async () => {
    const body = { currency: 'EUR', externalId: 'one-of-a-kind' };
    expect((await post('/v1/accounts', body)).status).toBe(201);
    const faults = ['/externalId taken'];
    expectRefusal(await post('/v1/accounts', body), 'conflict', { faults });
  });

  it.each(['ftp://127.0.0.1/', 'http://10.0.0.1/', 'http://u@127.0.0.1/', 'nonsense', 'http://'])(
    'the receiver %s: url_not_allowed',
    async (url) => {
      const target = '/v1/endpoints';
      expectRefusal(await post(target, { url }), 'url_not_allowed', { target });
    },
  );

  it.each([
    ['/v1/transactions', { type: 'credit', accountId: `acc_${'0'.repeat(26)}`, ...money }],
    ['/v1/events', { type: 'a.b', data: 1, endpointId: `end_${'0'.repeat(26)}` }],
    ['/v1/files', { name: 'a', size: 1, endpointId: `end_${'0'.repeat(26)}` }],
  ])('%s with what does not exist: not_found', async (target, body) => {
    expectRefusal(await post(target, body), 'not_found', { target });
  });
});

describe('methods and paths', () => {
  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])('%s', async (method) => {
    const target = '/v1/accounts';
    const answer = await ask(target, { method });
    expectRefusal(answer, 'method_not_allowed', { target });
    expect(answer.headers.get('allow')).toBe('GET, POST');
  });

  it('HEAD has no body', async () => {
    const { status, headers, text } = await ask('/v1/accounts', { method: 'HEAD' });
    expect([status, headers.get('allow'), text]).toEqual([405, 'GET, POST', '']);
  });

  it('does not ask for a key to say that a path leads nowhere', async () => {
    const target = '/v1/nothing';
    const answer = await sendRaw(apiUrl, { method: 'OPTIONS', target, headers: [] });
    expectRefusal(answer, 'not_found', { target });
  });

  it.each([
    ...['//v1/accounts', '/v1//accounts', '/v1/accounts/', '/V1/accounts', '/v1/Accounts'],
    ...[
      '/v1/./accounts',
      '/v1/x/../accounts',
      '/v1/accounts/..',
      '/v1%2Faccounts',
      '/v1/accounts%2F',
    ],
    ...['/v1/accounts;a=b', '/v1/accounts%00', '/v1/accounts%20', '/v1/account%73', '/%', '/%ZZ'],
    ...[
      '/',
      '/v1',
      '/v2/accounts',
      '/.env',
      '/$default',
      '/v1/accounts/a/b/c/d',
      '/\\v1\\accounts',
    ],
    ...[`/${'x'.repeat(4_000)}`, '/v1/accounts#a', '/..%2f..%2fetc%2fpasswd'],
  ])('%s is not_found', async (target) => {
    expectRefusal(await ask(target), 'not_found', { target });
  });
});

describe('ids of requests and traces', () => {
  it.each(['a', 'my-1', '_', 'x'.repeat(64)])('echoes %s', async (given) => {
    const { headers } = await ask('/v1/accounts', { headers: [`x-request-id: ${given}`] });
    expect(headers.get('x-request-id')).toBe(given);
  });

  it.each(['', 'a b', 'a.b', 'ü', 'x'.repeat(65), '<script>', 'a,b', '"a"'])(
    'makes one of its own instead of %j',
    async (given) => {
      const target = '/v1/nothing';
      const answer = await ask(target, { headers: [`x-request-id: ${given}`] });
      expectRefusal(answer, 'not_found', { target });
      expect(answer.headers.get('x-request-id')).toMatch(/^req_[0-9A-Z]{26}$/);
    },
  );

  it.each(['', 'nonsense', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`, 'x'.repeat(5_000)])(
    'leaves the traceparent %j out',
    async (given) => {
      const headers = ['content-type: application/json', `traceparent: ${given}`];
      const body = '{"type":"a.b","data":null}';
      expect((await ask('/v1/events', { method: 'POST', headers, body })).status).toBe(202);
    },
  );
});

describe('what is not even HTTP ends with a 4xx, and the next request is served', () => {
  it.each<[string, string]>([
    ['half a request line', 'GET\r\n\r\n'],
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['a method that nobody has', 'HACK /v1/accounts HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['small letters for a method', 'get /v1/accounts HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['no host', 'GET /v1/accounts HTTP/1.1\r\n\r\n'],
    ['another protocol', 'GET /v1/accounts HTTP/9.9\r\nhost: a\r\n\r\n'],
    ['a control byte in a header', `${head('idempotency-key: a\x01b')}`],
    ['a header without a colon', `${head('nonsense')}`],
    ['a blank before the colon', `${head('content-length : 0')}`],
    ['two lengths', `${head('content-length: 1', 'content-length: 2')}x`],
    ['a negative length', `${head('content-length: -1')}`],
    ['a length and chunks', `${head('content-length: 3', 'transfer-encoding: chunked')}0\r\n\r\n`],
    ['chunks that are none', `${head('transfer-encoding: chunked')}zz\r\n\r\n`],
    ['a header of 20 KB', `${head(`x-long: ${'x'.repeat(20_000)}`)}`],
    ['3,000 headers', `${head(...Array(3_000).fill('a: b'))}`],
  ])('%s', async (_what, text) => {
    const { status } = await sendBytes(apiUrl, Buffer.from(text, 'latin1'));

    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect((await apiClient(apiUrl, key).get('/v1/tenant')).status).toBe(200);
  });
});

function head(...lines: readonly string[]): string {
  const first = ['POST /v1/accounts HTTP/1.1', 'host: a', 'connection: close'];
  return `${[...first, ...lines].join('\r\n')}\r\n\r\n`;
}

/** The same with another character at the place. */
function changed(text: string, at: number): string {
  const other = text[at] === 'A' ? 'B' : 'A';
  return text.slice(0, at) + other + text.slice(at + 1);
}

function otherLast(text: string): string {
  return changed(text, text.length - 1);
}
