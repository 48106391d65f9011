import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { api } from '../../../functions/shared/http/api.ts';
import { defineRoute, route } from '../../../functions/shared/http/route.ts';
import { openIds } from '../../../functions/shared/ids/ulid.ts';
import { openMeters } from '../../../functions/shared/meters.ts';
import { Problem } from '../../../functions/shared/problem.ts';
import type { LogFields } from '../../../functions/shared/world.ts';
import { testClock } from '../../support/world.ts';

const echoRoute = defineRoute({
  method: 'POST',
  path: '/v1/things/{id}',
  summary: '',
  access: 'events:write',
  idempotencyKey: 'accepted',
  params: z.object({ id: z.string().regex(/^\d+$/) }),
  body: z.strictObject({ act: z.string() }),
  reply: { status: 201, schema: z.object({ act: z.string() }) },
});

const echo = route(echoRoute, async ({ body, idempotency }) => {
  if (body.act === 'bug') throw new Error('secret table name');
  if (body.act === 'busy') throw new Problem('busy', { retryAfterSeconds: 3 });
  if (body.act === 'replay') return { body, replayed: true };
  const extra = { act: body.act, hidden: 'never leaves', key: idempotency?.key };
  return { body: extra };
});

describe('api', () => {
  it('answers by the allow-list of the reply', async () => {
    const { result } = await call({ act: 'go' });

    expect(result.statusCode).toBe(201);
    expect(JSON.parse(result.body)).toEqual({ act: 'go' });
    expect(result.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
    });
  });

  it('hides a bug from the caller and shows it to the operator', async () => {
    const { result, lines, counted } = await call({ act: 'bug' });
    expect(counted).toEqual(['ApiFaults']);

    expect(result.statusCode).toBe(500);
    expect(result.body).not.toContain('secret');
    expect(JSON.parse(result.body)).toMatchObject({ code: 'internal', retryable: true });
    expect(lines[0]).toMatchObject({ event: 'api.bug', error: new Error('secret table name') });
  });

  it('renders a refusal by RFC 9457 with its headers', async () => {
    const { result, counted } = await call({ act: 'busy' });
    expect(counted).toEqual([]);

    expect(JSON.parse(result.body)).toMatchObject({
      type: 'https://tallyhook.dev/problems#busy',
      status: 503,
      code: 'busy',
      instance: '/v1/things/7',
      requestId: 'r-1',
      retryable: true,
    });
    expect(result.headers).toMatchObject({ 'retry-after': '3', 'x-request-id': 'r-1' });
  });

  it('says so when an answer is a replay', async () => {
    expect((await call({ act: 'replay' })).result.headers['idempotent-replayed']).toBe('true');
  });

  it('writes down no key that got into the path, and does not repeat it', async () => {
    const id = `th_live_${'0'.repeat(26)}_${'k'.repeat(43)}`;
    const { result, lines } = await call({ act: 'busy' }, { id });

    expect(JSON.parse(result.body).instance).toBe('/v1/things/*');
    expect(JSON.stringify(lines)).not.toContain('kkk');
  });

  it('writes one line per request, with the decision in it and nothing secret', async () => {
    const { lines } = await call({ act: 'busy' });

    expect(lines).toEqual([
      {
        event: 'http.request',
        method: 'POST',
        route: 'POST /v1/things/{id}',
        path: '/v1/things/7',
        status: 503,
        requestId: 'r-1',
        tenantId: 'ten_1',
        keyId: 'key_1',
        problem: 'busy',
        ms: 0,
      },
    ]);
  });

  it('answers a malformed id like one that belongs to nobody', async () => {
    expect((await call({ act: 'go' }, { id: 'x' })).result.statusCode).toBe(404);
  });

  it.each([
    ['bare', 'bare'],
    ['"quoted"', 'quoted'],
    ['"', '"'],
  ])('takes the Idempotency-Key %s', async (given) => {
    const { result } = await call({ act: 'go' }, { headers: { 'idempotency-key': given } });

    expect(result.statusCode).toBe(201);
  });
});

describe('a route whose body is not JSON', () => {
  const pageRoute = defineRoute({
    method: 'GET',
    path: '/page',
    summary: '',
    access: 'public',
    reply: {
      status: 200,
      schema: z.union([z.string(), z.instanceof(Uint8Array)]),
      contentType: 'text/html; charset=utf-8',
    },
  });

  it.each([
    ['text', '<p>', { body: '<p>' }],
    ['bytes', Uint8Array.of(0xff, 0), { body: '/wA=', isBase64Encoded: true }],
  ])('answers %s as it is, with headers of its own', async (_what, body, wanted) => {
    const page = route(pageRoute, async ({ header }) => ({
      body,
      headers: { etag: String(header('if-none-match')), 'cache-control': 'public' },
    }));
    const event = {
      routeKey: 'GET /page',
      rawPath: '/page',
      headers: { 'if-none-match': '"1"' },
      requestContext: { http: { method: 'GET' } },
    } as unknown as APIGatewayProxyEventV2;
    const { world } = quietWorld();

    const result = await api(world, [page], async () => ({}))(event, {} as Context);

    expect(result).toMatchObject({
      statusCode: 200,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'public',
        etag: '"1"',
      },
      ...wanted,
    });
  });
});

interface Request {
  readonly id?: string;
  readonly headers?: Record<string, string>;
}

function quietWorld() {
  const lines: (LogFields & { event: string })[] = [];
  const note = (event: string, fields: LogFields = {}) => void lines.push({ event, ...fields });
  const clock = testClock();
  const log = { info: note, warn: note, error: note };
  const counted: string[] = [];
  const metrics = { count: (name: string) => void counted.push(name) };
  const meters = openMeters('tests', () => undefined);
  const doors = { clock, ids: openIds(clock.nowMs), log, metrics, meters };
  return { lines, counted, world: doors };
}

async function call(body: object, { id = '7', headers = {} }: Request = {}) {
  const { lines, counted, world } = quietWorld();
  const handler = api(world, [echo], async () => ({ tenantId: 'ten_1', keyId: 'key_1' }));
  const event = {
    routeKey: 'POST /v1/things/{id}',
    rawPath: `/v1/things/${id}`,
    pathParameters: { id },
    headers: { 'content-type': 'application/json', 'x-request-id': 'r-1', ...headers },
    requestContext: { http: { method: 'POST' } },
    body: JSON.stringify(body),
    isBase64Encoded: false,
  } as unknown as APIGatewayProxyEventV2;
  const result = (await handler(event, {} as Context)) as {
    statusCode: number;
    headers: Record<string, string>;
    body: string;
  };
  return { result, lines, counted };
}
