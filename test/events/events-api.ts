import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';
import { createAlert } from '../../functions/events/create-alert.ts';
import { createEvent } from '../../functions/events/create-event.ts';
import { createEventBatch } from '../../functions/events/create-event-batch.ts';
import type { Addressees } from '../../functions/events/find-addressees.ts';
import { type Deliveries, getEvent, listEvents } from '../../functions/events/read-events.ts';
import type { DailyEvents } from '../../functions/events/take-day.ts';
import { api } from '../../functions/shared/http/api.ts';
import type { Route } from '../../functions/shared/http/route.ts';
import { eventsTaker } from '../../functions/tenants/take-events.ts';
import { hasEndpoint } from '../../functions/webhooks/find-addressee.ts';
import { findStates } from '../../functions/webhooks/find-states.ts';
import { type DeliveryWorld, deliveryWorld } from '../webhooks/delivery-world.ts';

/** What tests look at in an answer; what is not there is undefined, and the test fails. */
export interface Body {
  readonly [name: string]: unknown;
  readonly id: string;
  readonly data: Record<string, unknown>[];
  readonly errors: { readonly pointer: string; readonly code: string }[];
  readonly nextCursor?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
  /** The body as it was sent. */
  readonly text: string;
}

export interface Asked {
  readonly body?: unknown;
  /** Instead of a body that can be written as JSON. */
  readonly text?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls the room's routes as a tenant, with all of the shell but the check of its key. */
export type Ask = (tenantId: string, call: string, asked?: Asked) => Promise<Answer>;

export type EventsWorld = DeliveryWorld & Addressees & Deliveries & DailyEvents;

/** The doors of events/api, and those of the relay and of deliveries behind it. */
export async function eventsWorld(): Promise<EventsWorld> {
  const world = await deliveryWorld();
  const takeEvents = eventsTaker();
  return {
    ...world,
    hasEndpoint: (tenantId, id) => hasEndpoint(world, tenantId, id),
    takeEvents: (asked) => takeEvents(world, asked),
    findStates: (event) => findStates(world, event),
  };
}

/** `dailyEvents` is the limit of whoever calls. */
export function eventsApi(world: EventsWorld, dailyEvents?: number): Ask {
  const routes = [
    createEvent,
    createEventBatch,
    createAlert,
    listEvents,
    getEvent,
  ] as Route<EventsWorld>[];
  return async (tenantId, call, asked = {}) => {
    const [method = '', target = ''] = call.split(' ');
    const url = new URL(target, 'http://localhost');
    const handler = api(world, routes, async () => ({ tenantId, dailyEvents }));
    const result = await handler(
      {
        ...find(routes, method, url.pathname),
        rawPath: url.pathname,
        headers: headersOf(asked),
        queryStringParameters: Object.fromEntries(url.searchParams),
        requestContext: { http: { method } },
        isBase64Encoded: false,
        body: asked.text ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body)),
      } as unknown as APIGatewayProxyEventV2,
      {} as Context,
    );
    const { statusCode: status = 0, headers = {}, body: text = '' } = result;
    return { status, headers: headers as Answer['headers'], text, body: JSON.parse(text) };
  };
}

function headersOf({ key, headers }: Asked): Record<string, string> {
  const idempotency = key === undefined ? {} : { 'idempotency-key': key };
  return { 'content-type': 'application/json', ...idempotency, ...headers };
}

/** Which route API Gateway would take: one without parameters first. */
function find(routes: readonly Route<EventsWorld>[], method: string, path: string) {
  const ofMethod = routes.map((it) => it.contract).filter((it) => it.method === method);
  const found = ofMethod
    .toSorted((a, b) => Number(a.path.includes('{')) - Number(b.path.includes('{')))
    .flatMap((contract) => {
      const pattern = contract.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)');
      const match = new RegExp(`^${pattern}$`).exec(path);
      return match ? [{ contract, params: { ...match.groups } }] : [];
    })[0];
  if (!found) throw new Error(`no route ${method} ${path}`);
  const { contract, params } = found;
  return { routeKey: `${method} ${contract.path}`, pathParameters: params };
}
