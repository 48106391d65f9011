import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { decodeCall } from '../../../functions/shared/http/decode-call.ts';
import { fingerprintOf } from '../../../functions/shared/http/fingerprint.ts';
import { defineRoute } from '../../../functions/shared/http/route.ts';

const plain = defineRoute({
  method: 'POST',
  path: '/v1/things',
  summary: '',
  access: 'events:write',
  body: z.strictObject({ a: z.string() }),
  reply: { status: 200, schema: z.object({}) },
});

const open = defineRoute({
  method: 'GET',
  path: '/health',
  summary: '',
  access: 'public',
  reply: { status: 200, schema: z.object({}) },
});

type Given = Partial<Omit<APIGatewayProxyEventV2, 'body'>> & { readonly body?: string | undefined };

function eventOf(given: Given): APIGatewayProxyEventV2 {
  return {
    rawPath: '/v1/things',
    headers: { 'content-type': 'application/json' },
    requestContext: { http: { method: 'POST' } },
    body: '{"a":"b"}',
    isBase64Encoded: false,
    ...given,
  } as unknown as APIGatewayProxyEventV2;
}

describe('decodeCall', () => {
  it('refuses a query where a route has none: it would be obeyed by nobody', () => {
    const call = () => decodeCall(plain, eventOf({ queryStringParameters: { dryRun: 'true' } }));

    expect(call).toThrow(
      expect.objectContaining({
        code: 'validation_failed',
        facts: expect.objectContaining({
          errors: [expect.objectContaining({ pointer: '?dryRun', code: 'unknown_field' })],
        }),
      }),
    );
  });

  it('knows a request again behind the prefix of a stage or a domain', () => {
    const keyed = {
      ...plain,
      path: '/v1/things/{id}/ends',
      idempotencyKey: 'required',
      params: z.object({ id: z.string() }),
    } as const;
    const fingerprint = (rawPath: string, id: string) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
      const event = eventOf({ rawPath, pathParameters: { id }, headers });
      return decodeCall(keyed, event).idempotency?.fingerprint;
    };
    const first = fingerprint('/v1/things/a/ends', 'a');

    expect(fingerprint('/prod/v1/things/a/ends', 'a')).toBe(first);
    expect(fingerprint('/v1/things/%61/ends', 'a')).toBe(first);
    expect(fingerprint('/v1/things/b/ends', 'b')).not.toBe(first);
    // Those of earlier releases stay what they were.
    expect(first).toBe(fingerprintOf('POST', '/v1/things/a/ends', { a: 'b' }));
  });

  it('refuses a parameter that is given twice', () => {
    const listed = { ...plain, method: 'GET', query: z.strictObject({ a: z.string() }) } as const;
    const query = (rawQueryString: string, a: string) =>
      eventOf({ rawQueryString, queryStringParameters: { a } });
    const refused = expect.objectContaining({
      code: 'validation_failed',
      facts: expect.objectContaining({ errors: [expect.objectContaining({ pointer: '?a' })] }),
    });

    expect(decodeCall(listed, query('a=1%2C2', '1,2'))).toMatchObject({ query: { a: '1,2' } });
    expect(() => decodeCall(listed, query('a=1&a=2', '1,2'))).toThrow(refused);
    expect(() => decodeCall(listed, query('a=1&%61=2', '1,2'))).toThrow(refused);
  });

  it.each([
    [undefined, 0],
    ['0', 0],
    ['1', 1],
    ['2', 2],
    ['', 0],
    ['-1', 0],
    ['1.5', 0],
    ['many', 0],
  ])('reads that %j webhooks have led to a request: %i', (given, hops) => {
    const hop = given === undefined ? {} : { 'webhook-hops': given };
    const headers = { 'content-type': 'application/json', ...hop };
    expect(decodeCall(plain, eventOf({ headers })).hops).toBe(hops);
  });

  it.each([['3'], ['4'], ['10'], ['99999999999999999999']])(
    'refuses a request to which %s webhooks have led, as a loop, by whichever route',
    (hops) => {
      const headers = { 'content-type': 'application/json', 'webhook-hops': hops };
      const refused = expect.objectContaining({ code: 'conflict' });
      expect(() => decodeCall(plain, eventOf({ headers }))).toThrow(refused);
      expect(() => decodeCall(open, eventOf({ headers, body: '' }))).toThrow(refused);
    },
  );

  it.each([['{"a":1}'], ['[]'], ['x'], [' 1 ']])(
    'refuses the body %s where a route has none',
    (body) => {
      const { body: _none, ...bodiless } = plain;
      const call = () => decodeCall(bodiless, eventOf({ body }));

      expect(call).toThrow(expect.objectContaining({ code: 'validation_failed' }));
    },
  );

  it.each([[''], ['{}'], [' {} ']])('passes the body %j where a route has none', (body) => {
    const { body: _none, ...bodiless } = plain;

    expect(decodeCall(bodiless, eventOf({ body }))).toMatchObject({ body: undefined });
  });

  it('lets a query be where anybody may call: probes and caches add their own', () => {
    const event = eventOf({ queryStringParameters: { now: '1' } });

    expect(decodeCall(open, event)).toMatchObject({ query: undefined });
  });

  it.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json; profile="a"; charset=utf-8 ; q=1',
  ])('reads a body of the type %s', (type) => {
    const event = eventOf({ headers: { 'content-type': type } });

    expect(decodeCall(plain, event)).toMatchObject({ body: { a: 'b' } });
  });

  it.each([
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'application/json,application/json',
    'application/jsonp',
    'application/problem+json',
    'text/json',
    '',
  ])('refuses a body of the type %j', (type) => {
    const call = () => decodeCall(plain, eventOf({ headers: { 'content-type': type } }));

    expect(call).toThrow(expect.objectContaining({ code: 'unsupported_media_type' }));
  });

  describe('a request of a route that can do without a body', () => {
    const lenient = {
      ...plain,
      body: z.strictObject({ a: z.string().default('x') }),
      mayLackBody: true,
      idempotencyKey: 'accepted',
    } as const;
    const keyed = { 'idempotency-key': 'k' };
    const JSON_TYPE = { 'content-type': 'application/json' };

    it.each([{ body: undefined }, { body: '' }, { body: '', isBase64Encoded: true }])(
      'and has none (%j) is the same as one with {}',
      (none) => {
        const lacking = decodeCall(lenient, eventOf({ ...none, headers: keyed }));
        const empty = decodeCall(
          lenient,
          eventOf({ body: '{}', headers: { ...keyed, ...JSON_TYPE } }),
        );

        expect(lacking.body).toEqual({ a: 'x' });
        expect(lacking.idempotency).toEqual(empty.idempotency);
      },
    );

    it.each([
      ['a body without a type', { body: '{}', headers: {} }, 'unsupported_media_type'],
      ['a type without a body', { body: '', headers: JSON_TYPE }, 'malformed_json'],
      ['a lost body', { headers: { 'content-length': '20' } }, 'unsupported_media_type'],
      ['another type', { body: '', headers: { 'content-type': '' } }, 'unsupported_media_type'],
    ])('and has %s is refused', (_what, given, code) => {
      const call = () => decodeCall(lenient, eventOf(given));
      expect(call).toThrow(expect.objectContaining({ code }));
    });
  });

  it('refuses a request without a body where one has to say something', () => {
    const call = () => decodeCall(plain, eventOf({ body: '', headers: {} }));

    expect(call).toThrow(expect.objectContaining({ code: 'unsupported_media_type' }));
  });

  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const SPAN = 'b7ad6b7169203331';
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, false],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, false],
    [`ff-${TRACE}-${SPAN}-01`, false],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, false],
    [`00-${TRACE}-${SPAN}-01-more`, false],
  ])('carries the traceparent %s on: %s', (traceparent, isKept) => {
    const event = eventOf({ headers: { 'content-type': 'application/json', traceparent } });

    expect(decodeCall(plain, event).traceparent).toBe(isKept ? traceparent : undefined);
  });
});
