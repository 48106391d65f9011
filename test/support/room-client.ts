import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { api, type Caller } from '../../functions/shared/http/api.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import type { World } from '../../functions/shared/world.ts';

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface RoomBody {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly code?: string;
  readonly data: readonly RoomBody[];
  readonly errors?: readonly { readonly pointer: string; readonly code: string }[];
  readonly nextCursor?: string;
}

export interface RoomAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: RoomBody;
  /** The body as it was sent. */
  readonly text: string;
}

export interface Asked {
  readonly body?: unknown;
  /** Instead of a body that can be written as JSON. */
  readonly text?: string;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the client; this machine's if absent. */
  readonly address?: string;
}

/** `POST /v1/things`, or `GET /v1/things?limit=2`. */
export type Ask = (call: string, asked?: Asked) => Promise<RoomAnswer>;

/**
 * The Lambda of a room without HTTP: each call is decoded, answered and refused as there, on behalf
 * of this caller, whose key nobody checks.
 */
export function roomClient<
  Needs extends Pick<World, 'clock' | 'ids' | 'log' | 'meters' | 'metrics'>,
>(world: Needs, routes: readonly Route<Needs>[], caller: Caller): Ask {
  const handler = api(world, routes, async () => caller);
  return async (call, asked = {}) => {
    const [method = '', target = ''] = call.split(' ');
    const url = new URL(target, 'http://localhost');
    const event = {
      ...match(routes, method, url.pathname),
      rawPath: url.pathname,
      headers: headersOf(asked),
      queryStringParameters: Object.fromEntries(url.searchParams),
      requestContext: { http: { method, sourceIp: asked.address ?? '127.0.0.1' } },
      isBase64Encoded: false,
      body: asked.text ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body)),
    };
    const result = await handler(event as unknown as APIGatewayProxyEventV2, {} as Context);
    const { statusCode: status = 0, headers = {}, body: text = '' } = result;
    return { status, headers: headers as RoomAnswer['headers'], text, body: JSON.parse(text) };
  };
}

function headersOf({ key, headers }: Asked): Record<string, string> {
  const idempotency = key === undefined ? {} : { 'idempotency-key': key };
  return { 'content-type': 'application/json', ...idempotency, ...headers };
}

/** Which route API Gateway would take: one without parameters before one with them. */
function match<Needs>(routes: readonly Route<Needs>[], method: string, pathname: string) {
  const contracts = routes.map((it) => it.contract).filter((it) => it.method === method);
  for (const { path } of contracts.toSorted((a, b) => a.path.localeCompare(b.path))) {
    const pattern = path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
    const found = new RegExp(`^${pattern}$`).exec(pathname);
    if (found) return { routeKey: `${method} ${path}`, pathParameters: { ...found.groups } };
  }
  throw new Error(`no route for ${method} ${pathname}`);
}
