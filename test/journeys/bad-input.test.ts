import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, newAccount, newTenantOf } from '../support/api.ts';
import { type RawRequest, sendRaw } from '../support/raw-http.ts';
import { expectRefusal } from '../support/refusal.ts';

const { apiUrl, adminKey } = inject('cloud');
let api: ApiClient;
let key: string;
let account: string;
let before: string;

/** Everything that a refused request could have left behind. */
async function traces(): Promise<string> {
  const paths = [`/v1/accounts/${account}`, '/v1/accounts', '/v1/endpoints', '/v1/files'];
  const answers = await Promise.all(paths.map((it) => api.get(it)));
  return JSON.stringify(answers.map((it) => it.body));
}

beforeAll(async () => {
  ({ api, key } = await newTenantOf(apiUrl, adminKey));
  account = await newAccount(api, '1000');
  before = await traces();
});

afterAll(async () => {
  expect(await traces()).toBe(before);
});

const JSON_TYPE = 'content-type: application/json';

const send = (target: string, body: RawRequest['body'], headers = [JSON_TYPE]) =>
  sendRaw(apiUrl, {
    target,
    headers: [`authorization: Bearer ${key}`, `idempotency-key: ${randomUUID()}`, ...headers],
    ...(body !== undefined && { body }),
  });

const nested = (depth: number, open: string, inner: string, close: string) =>
  open.repeat(depth) + inner + close.repeat(depth);

describe('bytes that are not JSON are malformed_json', () => {
  const good = '{"currency":"EUR"}';
  it.each<[string, string | Uint8Array]>([
    ['a BOM', `\ufeff${good}`],
    ['UTF-16, little end first', Buffer.from(`\ufeff${good}`, 'utf16le')],
    ['UTF-16, big end first', Buffer.from(`\ufeff${good}`, 'utf16le').swap16()],
    ['UTF-16 without BOM', Buffer.from(good, 'utf16le')],
    ['a byte that is never UTF-8', bytes('{"currency":"EUR","name":"', 0xff, '"}')],
    ['half of a character', bytes('{"currency":"EUR","name":"', 0xc3, '"}')],
    ['an overlong NUL', bytes('{"currency":"EUR","name":"', 0xc0, 0x80, '"}')],
    ['a surrogate in UTF-8', bytes('{"currency":"EUR","name":"', 0xed, 0xa0, 0x80, '"}')],
    ['a character above U+10FFFF', bytes('{"a":"', 0xf4, 0x90, 0x80, 0x80, '"}')],
    ['Latin-1', Buffer.from('{"currency":"EUR","name":"é"}', 'latin1')],
    ['gzip that does not say so', gzipSync(good)],
    ['nothing', ''],
    ['blanks', ' \n\t '],
    ['an open object', '{"currency":"EUR"'],
    ['an open text', '{"currency":"EUR'],
    ['a comma too many', '{"currency":"EUR",}'],
    ['a comma too few', '{"currency":"EUR" "name":"a"}'],
    ['a comment', '{"currency":"EUR"/* € */}'],
    ['single quotes', "{'currency':'EUR'}"],
    ['a name without quotes', '{currency:"EUR"}'],
    ['a second value', `${good}${good}`],
    ['a byte behind it', `${good}x`],
    ['a NUL behind it', `${good}\0`],
    ['a NUL in a text', '{"currency":"EUR","name":"a\0b"}'],
    ['a raw line feed in a text', '{"currency":"EUR","name":"a\nb"}'],
    ['an escape that JSON does not know', '{"currency":"EUR","name":"\\x41"}'],
    ['half an escape', '{"currency":"EUR","name":"\\u12"}'],
    ['a blank that JSON does not know', '{\u00a0"currency":"EUR"}'],
    ['NaN', '{"currency":"EUR","n":NaN}'],
    ['Infinity', '{"currency":"EUR","n":-Infinity}'],
    ['a hexadecimal number', '{"currency":"EUR","n":0x1}'],
    ['a number with a plus', '{"currency":"EUR","n":+1}'],
    ['a number with a leading zero', '{"currency":"EUR","n":01}'],
    ['undefined', 'undefined'],
    ['a name twice', '{"currency":"EUR","currency":"USD"}'],
    ['a name twice, once escaped', '{"currency":"EUR","c\\u0075rrency":"USD"}'],
    ['a name twice, deep inside', '{"currency":"EUR","metadata":{"a":"1","a":"2"}}'],
    ['__proto__', '{"currency":"EUR","__proto__":{"mode":"derived"}}'],
    ['__proto__ escaped', '{"currency":"EUR","\\u005f_proto__":{}}'],
    ['33 levels', nested(33, '[', '', ']')],
    ['33 levels of objects', nested(33, '{"a":', '1', '}')],
    ['100,000 levels', nested(100_000, '[', '', ']')],
    ['40,000 levels of objects', nested(40_000, '{"a":', '1', '}')],
    ['40,000 levels that never close', '{"a":'.repeat(40_000)],
  ])('%s', async (_what, body) => {
    const target = '/v1/accounts';
    expectRefusal(await send(target, body), 'malformed_json', { target });
  });
});

describe('a body that does not fit the schema names each fault', () => {
  const long = (length: number) => 'x'.repeat(length);
  const keys = (count: number) => JSON.stringify(Object.fromEntries(many(count)));
  const many = (count: number) => Array.from({ length: count }, (_one, n) => [`k${n}`, 'v']);
  it.each<[string, string, readonly string[]]>([
    ['null', 'null', [' invalid']],
    ['a list', '[]', [' invalid']],
    ['a text', '"EUR"', [' invalid']],
    ['a number', '1e400', [' invalid']],
    ['32 levels', nested(32, '[', '', ']'), [' invalid']],
    ['no members', '{}', ['/currency required']],
    ['null for a text', '{"currency":null}', ['/currency invalid']],
    ['a number for a text', '{"currency":978}', ['/currency invalid']],
    ['small letters', '{"currency":"eur"}', ['/currency invalid']],
    ['a blank behind it', '{"currency":"EUR "}', ['/currency invalid']],
    ['a line feed behind it', '{"currency":"EUR\\n"}', ['/currency invalid']],
    ['full-width letters', '{"currency":"ＥＵＲ"}', ['/currency invalid']],
    [
      'two unknown fields',
      '{"currency":"EUR","a":1,"b":2}',
      ['/a unknown_field', '/b unknown_field'],
    ],
    ['constructor', '{"currency":"EUR","constructor":{}}', ['/constructor unknown_field']],
    ['toString', '{"currency":"EUR","toString":"x"}', ['/toString unknown_field']],
    ['prototype', '{"currency":"EUR","prototype":1}', ['/prototype unknown_field']],
    ['the server’s own fields', '{"currency":"EUR","balance":"5"}', ['/balance unknown_field']],
    ['a pointer that is escaped', '{"currency":"EUR","a/b~c":1}', ['/a~1b~0c unknown_field']],
    ['an empty name', '{"currency":"EUR","":1}', ['/ unknown_field']],
    ['an empty text', '{"currency":"EUR","name":""}', ['/name invalid']],
    ['a text too long', `{"currency":"EUR","name":"${long(201)}"}`, ['/name invalid']],
    ['NUL', '{"currency":"EUR","name":"a\\u0000b"}', ['/name invalid']],
    ['a lone high surrogate', '{"currency":"EUR","name":"\\ud800"}', ['/name invalid']],
    ['a lone low surrogate', '{"currency":"EUR","name":"\\udc00x"}', ['/name invalid']],
    [
      'a surrogate in a key',
      '{"currency":"EUR","metadata":{"\\ud800":"v"}}',
      ['/metadata/\ud800 invalid'],
    ],
    ['NUL in a key', '{"currency":"EUR","metadata":{"\\u0000":"v"}}', ['/metadata/\0 invalid']],
    [
      'a key too long',
      `{"currency":"EUR","metadata":{"${long(41)}":"v"}}`,
      [`/metadata/${long(41)} invalid`],
    ],
    [
      'a value too long',
      `{"currency":"EUR","metadata":{"k":"${long(501)}"}}`,
      ['/metadata/k invalid'],
    ],
    ['a value that is no text', '{"currency":"EUR","metadata":{"k":1}}', ['/metadata/k invalid']],
    ['51 keys', `{"currency":"EUR","metadata":${keys(51)}}`, ['/metadata invalid']],
    ['metadata as a list', '{"currency":"EUR","metadata":[]}', ['/metadata invalid']],
    ['a limit as a number', '{"currency":"EUR","minBalance":0}', ['/minBalance invalid']],
    ['a limit with a fraction', '{"currency":"EUR","minBalance":"-0.5"}', ['/minBalance invalid']],
    ['a limit of minus zero', '{"currency":"EUR","minBalance":"-0"}', ['/minBalance invalid']],
    ['a limit above 0', '{"currency":"EUR","minBalance":"1"}', ['/minBalance invalid']],
  ])('%s', async (_what, body, faults) => {
    const target = '/v1/accounts';
    expectRefusal(await send(target, body), 'validation_failed', { target, faults });
  });

  it.each<[string, object, readonly string[]]>([
    ['/v1/events', { type: 'Order', data: 1 }, ['/type invalid']],
    ['/v1/events', { type: 'account.created', data: 1 }, ['/type invalid']],
    ['/v1/events', { type: 'a' }, ['/data required']],
    [
      '/v1/events',
      { type: 'a', data: 1, occurredAt: '2026-02-30T00:00:00Z' },
      ['/occurredAt invalid'],
    ],
    ['/v1/events', { type: 'a', data: 1, occurredAt: '2026-01-01 00:00' }, ['/occurredAt invalid']],
    ['/v1/events', { type: 'a', data: 1, endpointId: 'end_1' }, ['/endpointId invalid']],
    ['/v1/endpoints', { url: 'https://a.example', eventTypes: [] }, ['/eventTypes invalid']],
    [
      '/v1/endpoints',
      { url: 'https://a.example', retry: { maxAttempts: 31 } },
      ['/retry/maxAttempts invalid'],
    ],
    ['/v1/endpoints', { url: 'https://a.example', secret: 'whsec_x' }, ['/secret invalid']],
    ['/v1/files', { name: 'a', size: -1, endpointId: `end_${'0'.repeat(26)}` }, ['/size invalid']],
    ['/v1/files', { name: 'a', size: 1.5, endpointId: `end_${'0'.repeat(26)}` }, ['/size invalid']],
    ['/v1/files', { name: '', size: 1, endpointId: 'x' }, ['/endpointId invalid', '/name invalid']],
  ])('%s refuses %j', async (target, body, faults) => {
    expectRefusal(await send(target, JSON.stringify(body)), 'validation_failed', {
      target,
      faults,
    });
  });
});

describe('an amount is whole minor units, from 1 to 10^18', () => {
  const target = '/v1/transactions';
  const credit = (amount: string) =>
    `{"type":"credit","accountId":"${account}","currency":"EUR","amount":${amount}}`;

  it.each([
    ...['0', '-0', '-1', '1.0', '1.5', '1e3', '1E2', '1e400', '-1e400', '1e-7', '0.0'],
    ...['9007199254740992', '9007199254740993', '1000000000000000000', '1'.repeat(400)],
    ...['"0"', '"-0"', '"-1"', '"+1"', '"01"', '"1.0"', '"1,000"', '"1_000"', '"1e3"', '"0x1"'],
    ...['""', '" 1"', '"1 "', '"1\\n"', '"1\\u0000"', '"１"', '"٣"', '"Ⅳ"', '"1\\u200b"'],
    ...['"1000000000000000001"', `"${'9'.repeat(4_000)}"`, '"NaN"', '"Infinity"', '"null"'],
    ...['true', 'false', 'null', '[]', '["1"]', '{}', '{"value":1}'],
  ])('%s is none', async (amount) => {
    const faults = ['/amount invalid_amount'];
    expectRefusal(await send(target, credit(amount)), 'invalid_amount', { target, faults });
  });

  it('a missing one is a missing field', async () => {
    const body = `{"type":"credit","accountId":"${account}","currency":"EUR"}`;
    const faults = ['/amount required'];
    expectRefusal(await send(target, body), 'validation_failed', { target, faults });
  });

  it('with another fault beside it, both are told', async () => {
    const body = `{"type":"credit","accountId":"acc_1","currency":"EUR","amount":"0"}`;
    const faults = ['/accountId invalid', '/amount invalid_amount'];
    expectRefusal(await send(target, body), 'validation_failed', { target, faults });
  });

  it.each(['1', '"1"', '9007199254740991', '"1000000000000000000"'])(
    '%s is one',
    async (amount) => {
      const poor = await newTenantOf(apiUrl, adminKey);
      const body = credit(amount).replace(account, await newAccount(poor.api));
      const headers = [`authorization: Bearer ${poor.key}`, 'idempotency-key: k', JSON_TYPE];
      const { status, text } = await sendRaw(apiUrl, { target, headers, body });

      expect([status, JSON.parse(text).amount]).toEqual([201, amount.replaceAll('"', '')]);
    },
  );
});

describe('size', () => {
  const padded = (bytes: number) => {
    const [head, tail] = ['{"currency":"EUR","pad":"', '"}'];
    return head + 'x'.repeat(bytes - head.length - tail.length) + tail;
  };

  it('256 KB are read', async () => {
    const faults = ['/pad unknown_field'];
    expectRefusal(await send('/v1/accounts', padded(256 * 1_024)), 'validation_failed', { faults });
  });

  it.each([256 * 1_024 + 1, 1_000_000])('%i bytes are too many', async (bytes) => {
    const target = '/v1/accounts';
    expectRefusal(await send(target, padded(bytes)), 'payload_too_large', { target });
  });

  it('counts bytes and not characters', async () => {
    const body = `{"currency":"EUR","pad":"${'€'.repeat(100_000)}"}`;
    expectRefusal(await send('/v1/accounts', body), 'payload_too_large');
  });

  it('a body in chunks is counted like any other', async () => {
    const body = `${(300_000).toString(16)}\r\n${'x'.repeat(300_000)}\r\n0\r\n\r\n`;
    const answer = await sendRaw(apiUrl, {
      target: `/v1/accounts`,
      headers: [
        `authorization: Bearer ${key}`,
        JSON_TYPE,
        `transfer-encoding: chunked\r\n\r\n${body}`,
      ],
    });
    expectRefusal(answer, 'payload_too_large');
  });

  it('the data of an event may have 64 KB', async () => {
    const target = '/v1/events';
    const event = (bytes: number) => `{"type":"a.b","data":"${'x'.repeat(bytes - 2)}"}`;
    expectRefusal(await send(target, event(64 * 1_024 + 1)), 'payload_too_large', { target });
    expect((await send(target, event(64 * 1_024))).status).toBe(202);
  });

  it('a long name is not echoed without end', async () => {
    const answer = await send('/v1/accounts', `{"currency":"EUR","${'~'.repeat(200_000)}":1}`);
    expectRefusal(answer, 'validation_failed');
    expect(answer.text.length).toBeLessThan(2_000_000);
  });
});

describe('what a body says of itself', () => {
  const target = '/v1/accounts';
  it.each<[string, readonly string[]]>([
    ['no type', []],
    ['an empty type', ['content-type:']],
    ['plain text', ['content-type: text/plain']],
    ['text/json', ['content-type: text/json']],
    ['a form', ['content-type: application/x-www-form-urlencoded']],
    ['a form in parts', ['content-type: multipart/form-data; boundary=x']],
    ['a longer name', ['content-type: application/jsonp']],
    ['a relative', ['content-type: application/problem+json']],
    ['another charset', ['content-type: application/json; charset=utf-16']],
    ['two types', [JSON_TYPE, 'content-type: text/plain']],
    ['the same type twice', [JSON_TYPE, JSON_TYPE]],
    ['gzip', [JSON_TYPE, 'content-encoding: gzip']],
    ['br', [JSON_TYPE, 'content-encoding: br']],
    ['an encoding that changes nothing', [JSON_TYPE, 'content-encoding: identity']],
    ['an empty encoding', [JSON_TYPE, 'content-encoding:']],
  ])('%s is unsupported_media_type', async (_what, headers) => {
    const body = headers.includes('content-encoding: gzip') ? gzipSync('{}') : '{}';
    const answer = await send(target, body, [...headers]);
    expectRefusal(answer, 'unsupported_media_type', { target });
  });

  it('need not be said where there is none, and nothing is required', async () => {
    const { body } = await api.post('/v1/keys', { name: 'k', scopes: ['ledger:read'] });
    const bare = (path: string) =>
      sendRaw(apiUrl, { target: path, headers: [`authorization: Bearer ${key}`] });

    expect((await bare(`/v1/keys/${body.id}/rotate`)).status).toBe(201);
    expectRefusal(await bare(target), 'unsupported_media_type', { target });
  });

  it.each([
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json ; charset="UTF-8"',
  ])('%s is read', async (type) => {
    const answer = await send(target, '{}', [`content-type: ${type}`]);
    expectRefusal(answer, 'validation_failed', { faults: ['/currency required'] });
  });
});

/** Texts and single bytes, one after the other. */
function bytes(...parts: readonly (string | number)[]): Buffer {
  return Buffer.concat(parts.map((it) => Buffer.from(typeof it === 'number' ? [it] : it)));
}
