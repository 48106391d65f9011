import { insertEvent } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import type { Bucket } from '../../functions/shared/bucket.ts';
import { openGuardedSender } from '../../functions/shared/http/guarded-sender.ts';
import { readMasterKey, seal } from '../../functions/shared/sealed.ts';
import type { GuardedSender } from '../../functions/shared/world.ts';
import { type EndpointTerms, findEndpointTerms } from '../../functions/tenants/find-limits.ts';
import { DeliveryOrder } from '../../functions/webhooks/attempt-message.ts';
import { deliverWebhook } from '../../functions/webhooks/deliver-webhook.ts';
import { findDelivery } from '../../functions/webhooks/delivery.store.ts';
import type { Delivery } from '../../functions/webhooks/delivery.ts';
import { growSet, insertEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import { type Endpoint, secretContext } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { type FastLane, rememberBursts } from '../../functions/webhooks/remember-bursts.ts';
import {
  type EndpointMemory,
  type EndpointSets,
  rememberEndpoints,
  rememberSets,
} from '../../functions/webhooks/remember-endpoints.ts';
import { assertStillTime } from '../support/still-time.ts';
import { newTenant, type SentMessage, type TestWorld, testWorld } from '../support/world.ts';

/**
 * Everything that relay and delivery need, with real sockets to receivers on this machine. In still
 * time: a second of a busy machine makes no receiver slow.
 */
export interface DeliveryWorld extends TestWorld {
  readonly http: GuardedSender;
  readonly bucket: Bucket;
  readonly endpoints: EndpointMemory;
  readonly endpointSets: EndpointSets;
  readonly fastLane: FastLane;
  endpointTerms(tenantId: string): Promise<EndpointTerms>;
  readonly patience: { reconcileAfterSeconds: number; recheckAfterSeconds: number };
}

/** As many as any tenant may have. */
const ENDPOINTS_MAX = 1_000;

/** A secret of the tests: the same for each endpoint, so that any of them can be verified. */
export const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export async function deliveryWorld(): Promise<DeliveryWorld> {
  assertStillTime();
  const world = await testWorld();
  return {
    ...world,
    http: openGuardedSender({ egress: 'loopback' }),
    endpoints: rememberEndpoints(world),
    endpointSets: rememberSets(world),
    fastLane: rememberBursts(),
    endpointTerms: (tenantId) => findEndpointTerms(world, tenantId),
    patience: { reconcileAfterSeconds: 120, recheckAfterSeconds: 1_200 },
  };
}

/** A stored endpoint of a new tenant, or of the tenant that is named. */
export async function newEndpoint(
  world: DeliveryWorld,
  url: string,
  fields: Partial<Endpoint> = {},
): Promise<Endpoint> {
  const id = world.ids.next('end');
  const tenantId = fields.tenantId ?? newTenant(world);
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const context = secretContext({ tenantId, id });
  const endpoint: Endpoint = {
    id,
    tenantId,
    url,
    status: 'active',
    retry: { maxAttempts: 3, scheduleSeconds: [10] },
    timeoutMs: 1_000,
    onUnknown: 'resend',
    secrets: [{ sealed: seal(masterKey, { plaintext: SECRET, context }, world.ids) }],
    createdAtMs: world.clock.nowMs(),
    ...fields,
  };
  await world.db.commit([insertEndpoint(endpoint), growSet(tenantId, ENDPOINTS_MAX)]);
  return endpoint;
}

/** A stored event, not yet relayed. */
export async function newEvent(
  world: DeliveryWorld,
  tenantId: string,
  fields: Partial<OutboxEvent> = {},
): Promise<OutboxEvent> {
  const event: OutboxEvent = {
    id: world.ids.next('evt'),
    tenantId,
    type: 'order.paid',
    occurredAtMs: world.clock.nowMs(),
    data: '{"amount": 1.50, "big":12345678901234567890}',
    ...fields,
  };
  await world.db.commit([insertEvent(event)]);
  return event;
}

/** An event that the relay has handed on. Its message is the last of `world.sent`. */
export async function relayed(
  world: DeliveryWorld,
  tenantId: string,
  fields: Partial<OutboxEvent> = {},
): Promise<OutboxEvent> {
  const event = await newEvent(world, tenantId, fields);
  await relayEvents([event], world);
  return event;
}

/** The work of one message, as the queue would hand it over. */
export async function handle(
  message: Pick<SentMessage, 'body'>,
  world: DeliveryWorld,
): Promise<void> {
  const order = DeliveryOrder.parse(JSON.parse(JSON.stringify(message.body)));
  await deliverWebhook(order, world, { deadlineMs: world.clock.nowMs() + 30_000 });
}

/** Takes the messages of the delivery queues out, those that may be delivered by now. */
export function takeDue(world: DeliveryWorld): SentMessage[] {
  const nowMs = world.clock.nowMs();
  const due = world.sent.filter(
    (it) => it.queue.startsWith('delivery-') && (it.atMs ?? 0) <= nowMs,
  );
  for (const it of due) world.sent.splice(world.sent.indexOf(it), 1);
  return due;
}

/** Works off what may be delivered by now. */
export async function handleDue(world: DeliveryWorld): Promise<void> {
  for (const message of takeDue(world)) await handle(message, world);
}

/** Works the delivery queues off, turning the clock to each message that waits. */
export async function drain(world: DeliveryWorld): Promise<void> {
  for (;;) {
    for (const message of takeDue(world)) await handle(message, world);
    const waiting = world.sent.filter((it) => it.queue.startsWith('delivery-'));
    if (waiting.length === 0) return;
    const nextMs = Math.min(...waiting.map((it) => it.atMs ?? 0));
    world.clock.set(Math.max(world.clock.nowMs(), nextMs));
  }
}

/** The record of an event's delivery to an endpoint; fails when there is none. */
export async function recordOf(
  world: DeliveryWorld,
  endpoint: Endpoint,
  event: Pick<OutboxEvent, 'id'>,
): Promise<Delivery> {
  const name = { tenantId: endpoint.tenantId, endpointId: endpoint.id, eventId: event.id };
  const delivery = await findDelivery(world.db, name);
  if (!delivery) throw new Error(`no record of ${event.id}`);
  return delivery;
}
