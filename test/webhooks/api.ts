import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { api } from '../../functions/shared/http/api.ts';
import type { Contract, Route } from '../../functions/shared/http/route.ts';
import { createEndpoint } from '../../functions/webhooks/create-endpoint.ts';
import { createReplay } from '../../functions/webhooks/create-replay.ts';
import { deleteEndpoint } from '../../functions/webhooks/delete-endpoint.ts';
import { endReplay } from '../../functions/webhooks/end-replay.ts';
import { getDelivery, listDeliveries } from '../../functions/webhooks/read-deliveries.ts';
import {
  getEndpoint,
  getEndpointSecret,
  listEndpoints,
} from '../../functions/webhooks/read-endpoints.ts';
import { getEndpointHealth } from '../../functions/webhooks/read-health.ts';
import { getReplay, listReplays } from '../../functions/webhooks/read-replays.ts';
import { rotateSecret } from '../../functions/webhooks/rotate-secret.ts';
import { sendAgain } from '../../functions/webhooks/send-again.ts';
import { testEndpoint } from '../../functions/webhooks/test-endpoint.ts';
import { updateEndpoint } from '../../functions/webhooks/update-endpoint.ts';
import type { DeliveryWorld } from './delivery-world.ts';

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface Body {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly secret?: string;
  readonly data: Record<string, unknown>[];
  readonly nextCursor?: string;
  readonly attempts: { readonly nextAt?: string }[];
}

/** An answer of the room's API. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Body;
}

export interface Asked {
  readonly body?: unknown;
  readonly key?: string;
}

/** Calls the room's routes as a tenant, with all of the shell but the check of its key. */
export type Ask = (tenantId: string, call: string, asked?: Asked) => Promise<Answer>;

export function webhooksApi(world: DeliveryWorld): Ask {
  const routes = [
    createEndpoint,
    listEndpoints,
    getEndpoint,
    getEndpointSecret,
    updateEndpoint,
    deleteEndpoint,
    rotateSecret,
    testEndpoint,
    getEndpointHealth,
    listDeliveries,
    getDelivery,
    sendAgain,
    createReplay,
    listReplays,
    getReplay,
    endReplay,
  ] as Route<DeliveryWorld>[];
  return async (tenantId, call, { body, key } = {}) => {
    const [method = '', target = ''] = call.split(' ');
    const url = new URL(target, 'http://localhost');
    const { contract, params } = find(routes, method, url.pathname);
    const handler = api(world, routes, async () => ({ tenantId }));
    const event = {
      routeKey: `${contract.method} ${contract.path}`,
      rawPath: url.pathname,
      headers: {
        'content-type': 'application/json',
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      queryStringParameters: Object.fromEntries(url.searchParams),
      pathParameters: params,
      requestContext: { http: { method } },
      isBase64Encoded: false,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    } as unknown as APIGatewayProxyEventV2;
    const { statusCode = 0, headers = {}, body: text = '' } = await handler(event, {} as Context);
    return { status: statusCode, headers, body: JSON.parse(text) };
  };
}

function find(routes: readonly Route<DeliveryWorld>[], method: string, path: string) {
  for (const { contract } of routes) {
    const params = paramsOf(contract, path);
    if (contract.method === method && params) return { contract, params };
  }
  throw new Error(`no route ${method} ${path}`);
}

function paramsOf({ path }: Contract, actual: string): Record<string, string> | undefined {
  const pattern = path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
  const match = new RegExp(`^${pattern}$`).exec(actual);
  return match ? { ...match.groups } : undefined;
}
