import { createServer, request, type Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { answerOf, eventOf, flatHeaders, isTextType } from '../../local/api-gateway/payload.ts';
import { RouteTable } from '../../local/api-gateway/routes.ts';
import { apiGateway, type Invoke } from '../../local/api-gateway/server.ts';
import { listenExactly } from '../../local/http/listen.ts';

describe('RouteTable', () => {
  const keys = [
    'GET /v1/{kind}/{id}',
    'GET /v1/accounts/{id}',
    'GET /v1/accounts/mine',
    'POST /v1/accounts',
    'ANY /v1/accounts',
    '$default',
  ];
  const table = new RouteTable(new Map(keys.map((key) => [key, key])));

  it.each([
    ['GET', '/v1/accounts/mine', 'GET /v1/accounts/mine', {}],
    ['GET', '/v1/accounts/acc_1', 'GET /v1/accounts/{id}', { id: 'acc_1' }],
    ['GET', '/v1/tasks/tsk_1', 'GET /v1/{kind}/{id}', { kind: 'tasks', id: 'tsk_1' }],
    ['GET', '/v1/accounts/a%2Fb%20c', 'GET /v1/accounts/{id}', { id: 'a/b c' }],
    ['GET', '/v1/accounts/%zz', 'GET /v1/accounts/{id}', { id: '%zz' }],
    ['POST', '/v1/accounts', 'POST /v1/accounts', {}],
    ['PATCH', '/v1/accounts', 'ANY /v1/accounts', {}],
    ['DELETE', '/v1/accounts/mine', '$default', {}],
    ['GET', '/v1/accounts/', '$default', {}],
    ['GET', '/v1/accounts/mine/more', '$default', {}],
    ['GET', '/', '$default', {}],
  ])('%s %s goes to %s', (method, path, routeKey, parameters) => {
    expect(table.match(method, path)).toEqual({ routeKey, target: routeKey, parameters });
  });

  it('has no answer without $default', () => {
    const one = new RouteTable(new Map([['GET /a', 1]]));
    expect(one.match('GET', '/b')).toBeUndefined();
  });

  it('refuses greedy parameters', () => {
    expect(() => new RouteTable(new Map([['GET /{proxy+}', 1]]))).toThrow('{proxy+}');
  });
});

describe('eventOf', () => {
  const plain = {
    method: 'POST',
    url: '/v1/a%20b?x=1&x=2&y=a%26b&z=',
    headers: { host: 'h', cookie: 'a=1; b=2', 'content-type': 'application/json' },
    body: Buffer.from('{"é":1}'),
    sourceIp: '127.0.0.1',
    routeKey: 'POST /v1/{id}',
    parameters: { id: 'a b' },
    nowMs: 0,
  };

  it('is the payload format 2.0', () => {
    expect(eventOf(plain)).toMatchObject({
      version: '2.0',
      routeKey: 'POST /v1/{id}',
      rawPath: '/v1/a%20b',
      rawQueryString: 'x=1&x=2&y=a%26b&z=',
      queryStringParameters: { x: '1,2', y: 'a&b', z: '' },
      cookies: ['a=1', 'b=2'],
      headers: { host: 'h', 'content-type': 'application/json' },
      pathParameters: { id: 'a b' },
      body: '{"é":1}',
      isBase64Encoded: false,
      requestContext: {
        http: { method: 'POST', path: '/v1/a%20b', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
        routeKey: 'POST /v1/{id}',
        stage: '$default',
        timeEpoch: 0,
        requestId: expect.any(String),
      },
    });
  });

  it('leaves out what a request does not have', () => {
    const event = eventOf({ ...plain, url: '/', headers: {}, body: Buffer.of(), parameters: {} });
    expect(Object.keys(event)).not.toEqual(
      expect.arrayContaining(['body', 'cookies', 'pathParameters', 'queryStringParameters']),
    );
    expect(event).toMatchObject({ isBase64Encoded: false, rawQueryString: '' });
  });

  it.each([
    ['UTF-8', Buffer.from('{"a":"é"}'), false],
    ['a byte that begins nothing', Buffer.from([0x22, 0xff, 0x22]), true],
    ['a character that is cut off', Buffer.from([0x22, 0xc3]), true],
    ['a lone surrogate', Buffer.from([0xed, 0xa0, 0x80]), true],
    ['the replacement character itself', Buffer.from('"\ufffd"'), false],
  ])('passes a text body in base64 unless it is UTF-8: %s', (_, body, isBase64Encoded) => {
    expect(eventOf({ ...plain, body })).toMatchObject({
      isBase64Encoded,
      body: body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    });
  });

  it.each([
    ['application/json', true],
    ['application/json; charset=utf-8', true],
    ['APPLICATION/JSON', true],
    ['text/plain', true],
    ['text/csv', true],
    ['application/xml', true],
    ['application/javascript', true],
    ['application/x-www-form-urlencoded', false],
    ['application/octet-stream', false],
    ['application/jsonx', false],
    ['', false],
    [undefined, false],
  ])('passes a body of type %s as text: %s', (type, isText) => {
    expect(isTextType(type)).toBe(isText);
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    expect(eventOf({ ...plain, headers })).toMatchObject({
      isBase64Encoded: !isText,
      body: isText ? '{"é":1}' : Buffer.from('{"é":1}').toString('base64'),
    });
  });
});

it('takes __proto__ for a name like any other, in a query and in headers', () => {
  const event = eventOf({
    method: 'GET',
    url: '/?__proto__=1&__proto__=2&x=3',
    headers: flatHeaders(['__proto__', '4']),
    body: Buffer.of(),
    sourceIp: '127.0.0.1',
    routeKey: '$default',
    parameters: {},
    nowMs: 0,
  });
  // As the function gets it, which is another process.
  expect(JSON.stringify(event)).toContain('"queryStringParameters":{"__proto__":"1,2","x":"3"}');
  expect(JSON.stringify(event)).toContain('"headers":{"__proto__":"4"}');
});

it('joins repeated headers by commas and cookies by semicolons', () => {
  const raw = [
    'X-A',
    '1',
    'x-a',
    '2',
    'Cookie',
    'a=1',
    'cookie',
    'b=2',
    'Accept',
    'text/html, */*',
  ];
  expect(flatHeaders(raw)).toEqual({ 'x-a': '1,2', cookie: 'a=1; b=2', accept: 'text/html, */*' });
});

describe('answerOf', () => {
  const base64 = Buffer.from([0, 255]).toString('base64');
  it.each([
    [{ statusCode: 201, headers: { 'X-A': 1 }, body: 'é' }, 201, { 'x-a': '1' }, Buffer.from('é')],
    [{ statusCode: 200, body: base64, isBase64Encoded: true }, 200, {}, Buffer.from([0, 255])],
    [{ statusCode: 204 }, 204, {}, Buffer.of()],
    [{ statusCode: 200, cookies: ['a=1'] }, 200, { 'set-cookie': ['a=1'] }, Buffer.of()],
    [{ any: 'thing' }, 200, { 'content-type': 'application/json' }, Buffer.from('{"any":"thing"}')],
    [{ statusCode: 'x' }, 500, {}, Buffer.from('{"message":"Internal Server Error"}')],
    [{ statusCode: 200, body: {} }, 500, {}, Buffer.from('{"message":"Internal Server Error"}')],
  ])('turns %j into a %i', (result, status, headers, body) => {
    const answer = answerOf(result);
    expect(answer).toMatchObject({ status, headers });
    expect(answer.body.equals(body)).toBe(true);
  });
});

describe('apiGateway', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function serve(target: Invoke, answerMsMax?: number): Promise<string> {
    const routes = new RouteTable(new Map([['POST /here', target]]));
    server = createServer(apiGateway(routes, answerMsMax));
    return `http://127.0.0.1:${await listenExactly(server, 0)}`;
  }

  const echo: Invoke = async (event) => ({ ok: true, result: { seen: event } });
  const post = (url: string, body: string | Uint8Array<ArrayBuffer> = 'x') =>
    fetch(url, { method: 'POST', body });

  it('calls the function of the route from a loopback address', async () => {
    const url = await serve(echo);
    const reply = await post(`${url}/here`);
    expect(await reply.json()).toMatchObject({
      seen: { requestContext: { http: { sourceIp: '127.0.0.1' } } },
    });
  });

  it('answers 404 where there is no route', async () => {
    const url = await serve(echo);
    const reply = await post(`${url}/there`);
    expect([reply.status, await reply.json()]).toEqual([404, { message: 'Not Found' }]);
  });

  it('answers 500 when the function fails, without a word of why', async () => {
    const failure = { errorType: 'Error', errorMessage: 'secret' };
    const url = await serve(async () => ({ ok: false, failure }));
    const reply = await post(`${url}/here`);
    expect([reply.status, await reply.text()]).toEqual([
      500,
      '{"message":"Internal Server Error"}',
    ]);
  });

  it('answers 503 when the function takes too long', async () => {
    const url = await serve(() => new Promise(() => undefined), 20);
    expect((await post(`${url}/here`)).status).toBe(503);
  });

  it.each([
    [10 * 1_024 * 1_024, 200],
    [10 * 1_024 * 1_024 + 1, 413],
  ])('answers a body of %i bytes with %i', async (bytes, status) => {
    const url = await serve(async () => ({ ok: true, result: { statusCode: 200 } }));
    expect((await post(`${url}/here`, Buffer.alloc(bytes))).status).toBe(status);
  });

  it('survives a client that hangs up in the middle of its body', async () => {
    const url = await serve(echo);
    const half = request(`${url}/here`, { method: 'POST', headers: { 'content-length': 100 } });
    half.on('error', () => undefined);
    await new Promise((resolve) => half.write('half', resolve));
    half.destroy();
    expect((await post(`${url}/here`)).status).toBe(200);
  });
});
