import { beforeAll, describe, expect, it } from 'vitest';
import { eventKey, findEvents } from '../../functions/events/event.store.ts';
import type { RelayedEvent } from '../../functions/events/event.ts';
import { listEventIds } from '../../functions/events/event-list.store.ts';
import { claim, newDelivery } from '../../functions/webhooks/delivery.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { exhaustedEvent } from '../../functions/webhooks/settle-delivery.ts';
import { useStillTime } from '../support/still-time.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  handle,
  newEndpoint,
  recordOf,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const CAUSE = {
  hops: 2,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
} as const;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** What the tenant is told by events of one type, the newest first. */
async function toldOf(tenantId: string, type: string): Promise<RelayedEvent[]> {
  const { ids } = await listEventIds(world.db, { tenantId, type }, { limit: 20 });
  return findEvents(world.db, tenantId, ids);
}

describe('an event that tells how a webhook ended', () => {
  it.each([1, 3])('names what led to the webhook, after %i attempts', async (maxAttempts) => {
    const receiver = await startReceiver(() => 500);
    const retry = { maxAttempts, scheduleSeconds: [10] };
    const { tenantId } = await newEndpoint(world, receiver.url, { retry });
    await relayed(world, tenantId, CAUSE);
    await drain(world);
    expect(receiver.got).toHaveLength(maxAttempts);
    expect(await toldOf(tenantId, 'delivery.exhausted')).toMatchObject([CAUSE]);
  });

  /** A delivery whose worker has died at its only attempt; answers the row of its event. */
  async function lapsed() {
    const retry = { maxAttempts: 1 };
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', { retry });
    const { tenantId, id: endpointId } = endpoint;
    const event = await relayed(world, tenantId, CAUSE);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    const nowMs = world.clock.nowMs();
    const name = { tenantId, endpointId, eventId: event.id, eventType: event.type };
    const before = newDelivery(name, nowMs);
    await saveStep(world, { before, after: claim(before, nowMs + 35_000, nowMs) });
    world.clock.advance(35_001);
    return { endpoint, event, message };
  }

  it('does so where the worker of the last attempt has died', async () => {
    const { endpoint, message } = await lapsed();
    await handle(message, world);
    expect(await toldOf(endpoint.tenantId, 'delivery.exhausted')).toMatchObject([CAUSE]);
  });

  it('comes to its end where that worker has died and its event cannot be read', async () => {
    const { endpoint, event, message } = await lapsed();
    const { tenantId } = endpoint;
    const stored = await world.db.get('outbox', eventKey(tenantId, event.id));
    const item = { ...stored, ...eventKey(tenantId, event.id), data: 'no JSON' };
    await world.db.commit([{ kind: 'put', table: 'outbox', item }]);
    await handle(message, world);
    expect((await recordOf(world, endpoint, event)).status).toBe('exhausted');
    expect(await toldOf(tenantId, 'delivery.exhausted')).toHaveLength(1);
  });

  it('does so for an alert of a file', () => {
    const alert = {
      ...CAUSE,
      origin: { fileId: 'fil_1', block: 0, index: 0 },
      bodyRef: { key: 'users', start: 0, end: 1 },
      timestampMs: 0,
    };
    const name = { tenantId: 'ten_1', endpointId: 'end_1', eventType: 'alert', alert };
    const fresh = newDelivery({ ...name, eventId: world.ids.next('evt') }, 0);
    const [write] = exhaustedEvent({ ...fresh, status: 'exhausted' }, {}, world);
    expect(write).toMatchObject({ kind: 'put', item: CAUSE });
  });

  it('does so where the receiver wants no more', async () => {
    const receiver = await startReceiver(() => 410);
    const { tenantId } = await newEndpoint(world, receiver.url);
    await relayed(world, tenantId, CAUSE);
    for (const message of takeDue(world)) await handle(message, world);
    expect(await toldOf(tenantId, 'endpoint.disabled')).toMatchObject([CAUSE]);
  });
});

it('ends a loop of webhooks that fail, and of webhooks that say so', async () => {
  const failing = await startReceiver(() => 500);
  const telling = await startReceiver();
  const retry = { maxAttempts: 1 };
  const { tenantId, id: to } = await newEndpoint(world, failing.url, { retry });
  await newEndpoint(world, telling.url, { tenantId, eventTypes: ['delivery.exhausted'] });
  const hopsOf = () => telling.got.map((it) => Number(it.headers['webhook-hops']));
  // Each time that it is told, it sends one more event to the endpoint that fails.
  for (let turn = 1; turn <= 3; turn += 1) {
    await relayed(world, tenantId, { to, hops: hopsOf().at(-1) ?? 0 });
    await drain(world);
    const [told] = await toldOf(tenantId, 'delivery.exhausted');
    if (told) await relayEvents([told], world);
    await drain(world);
  }
  // The fourth request in a row is refused.
  expect(hopsOf()).toEqual([1, 2, 3]);
});
