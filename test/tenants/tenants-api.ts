import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { api } from '../../functions/shared/http/api.ts';
import type { Contract, Route } from '../../functions/shared/http/route.ts';
import { authenticator } from '../../functions/tenants/authenticate.ts';
import { createKey, createTenantKey } from '../../functions/tenants/create-key.ts';
import { createTenant } from '../../functions/tenants/create-tenant.ts';
import { getOwnTenant, getTenant } from '../../functions/tenants/get-tenant.ts';
import { listTenants } from '../../functions/tenants/list-tenants.ts';
import { getKey, listKeys } from '../../functions/tenants/read-keys.ts';
import { revokeKey } from '../../functions/tenants/revoke-key.ts';
import { rotateKey } from '../../functions/tenants/rotate-key.ts';
import { updateTenant } from '../../functions/tenants/update-tenant.ts';
import type { TestWorld } from '../support/world.ts';

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface Body {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly key?: string;
  readonly apiKey: { readonly id: string; readonly key: string };
  readonly data: Record<string, unknown>[];
  readonly errors: { readonly pointer: string }[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

export interface Asked {
  readonly body?: unknown;
  readonly key?: string | undefined;
  readonly idempotencyKey?: string;
  /** Of the client. */
  readonly address?: string;
}

/** Calls `GET /v1/keys/key_1?limit=1` on one instance of the room's Lambda. */
export type Ask = (call: string, asked?: Asked) => Promise<Answer>;

const ROUTES = [
  ...[createTenant, listTenants, getTenant, updateTenant, getOwnTenant, createTenantKey],
  ...[createKey, listKeys, getKey, revokeKey, rotateKey],
] as Route<TestWorld>[];

/** A new instance of the room's Lambda, which has not seen any key yet. */
export function tenantsInstance(world: TestWorld): Ask {
  return instanceOf(world, ROUTES);
}

/** A new instance of a Lambda with these routes. */
export function instanceOf<Needs extends TestWorld>(
  world: Needs,
  routes: readonly Route<NoInfer<Needs>>[],
): Ask {
  const handler = api(world, routes, authenticator());
  return async (call, asked = {}) => {
    const [method = '', target = ''] = call.split(' ');
    const url = new URL(target, 'http://localhost');
    const { path, params } = match(routes, method, url.pathname);
    const event = {
      routeKey: `${method} ${path}`,
      rawPath: url.pathname,
      pathParameters: params,
      queryStringParameters: Object.fromEntries(url.searchParams),
      headers: headersOf(asked),
      requestContext: { http: { method, sourceIp: asked.address ?? '203.0.113.7' } },
      body: asked.body === undefined ? undefined : JSON.stringify(asked.body),
      isBase64Encoded: false,
    } as unknown as APIGatewayProxyEventV2;
    const result = (await handler(event, {} as Context)) as {
      statusCode: number;
      headers: Record<string, string>;
      body: string;
    };
    const { statusCode: status, headers, body } = result;
    return { status, headers, body: JSON.parse(body) as Body };
  };
}

function headersOf({ key, idempotencyKey }: Asked): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  };
}

/** Which route API Gateway would take. */
function match(routes: readonly { contract: Contract }[], method: string, pathname: string) {
  for (const { contract } of routes) {
    const pattern = contract.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
    const found = new RegExp(`^${pattern}$`).exec(pathname);
    if (found && contract.method === method) {
      return { path: contract.path, params: { ...found.groups } };
    }
  }
  throw new Error(`no route for ${method} ${pathname}`);
}

/** A tenant with these limits, and its first key. */
export async function newTenantAt(ask: Ask, world: TestWorld, limits: object = {}) {
  const adminKey = await world.secrets.read('admin-key');
  const body = { name: 'Acme', limits };
  const answer = await ask('POST /v1/tenants', { key: adminKey, body });
  return { tenantId: answer.body.id, key: answer.body.apiKey.key, adminKey };
}
