import { beforeAll, describe, expect, it } from 'vitest';
import { findEvent } from '../../functions/events/event.store.ts';
import { fileEventTypes } from '../../functions/files/contract.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { drain, newEndpoint } from '../webhooks/delivery-world.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import { type Ask, type EventsWorld, eventsApi, eventsWorld } from './events-api.ts';

useStillTime();

let world: EventsWorld;
let ask: Ask;
beforeAll(async () => {
  world = await eventsWorld();
  ask = eventsApi(world);
});

const url = 'http://127.0.0.1:1/hook';
const post = (tenant: string, body: unknown, key?: string) =>
  ask(tenant, 'POST /v1/alerts', { body, ...(key !== undefined && { key }) });

describe('POST /v1/alerts', () => {
  it.each([
    [{ userId: 'user-1', message: 'Your statement is ready' }],
    [{ userId: '  00042 "é" 🎉 \u2028' }],
    [{ userId: 'x'.repeat(256), message: 'a { b } c }} d' }],
  ])('reaches its one endpoint in the form of a file’s alerts: %j', async (asked) => {
    const receiver = await startReceiver();
    const { id, tenantId } = await newEndpoint(world, receiver.url, { eventTypes: ['other'] });
    await newEndpoint(world, url, { tenantId });
    const { status, body } = await post(tenantId, { endpointId: id, ...asked });
    expect(status).toBe(202);
    expect(body).toMatchObject({ object: 'event', type: 'alert', endpointId: id });

    const event = await findEvent(world.db, tenantId, body.id);
    if (event) await relayEvents([event], world);
    await drain(world);
    const sent = JSON.parse(receiver.got[0]?.body.toString() ?? '{}');
    expect(sent).toMatchObject({ id: body.id, type: 'alert', data: { ...asked, columns: {} } });
    expect(fileEventTypes.alert?.data.safeParse(sent.data).success).toBe(true);
    expect((await ask(tenantId, `GET /v1/events/${body.id}`)).body.deliveries).toMatchObject([
      { endpointId: id, status: 'delivered' },
    ]);
  });

  it.each([
    ['/userId required', { userId: undefined }],
    ['/userId invalid', { userId: '' }],
    ['/userId invalid', { userId: 7 }],
    ['/userId invalid', { userId: 'é'.repeat(129) }],
    ['/userId invalid', { userId: 'nul\0' }],
    ['/userId invalid', { userId: '\ud800' }],
    ['/message invalid', { message: '' }],
    ['/message invalid', { message: 'x'.repeat(1_001) }],
    ['/message invalid', { message: 'Dear {{first_name}}' }],
    ['/message invalid', { message: '{{' }],
    ['/endpointId required', { endpointId: undefined }],
    ['/endpointId invalid', { endpointId: 'end_1' }],
    ['/type unknown_field', { type: 'alert' }],
  ])('refuses %s', async (fault, fields) => {
    const { id, tenantId } = await newEndpoint(world, url);
    const { status, body } = await post(tenantId, { endpointId: id, userId: 'u', ...fields });
    const faults = body.errors.map((it) => `${it.pointer} ${it.code}`);
    expect([status, faults]).toEqual([422, [fault]]);
  });

  it('refuses an endpoint of another tenant as if it were not there', async () => {
    const { id } = await newEndpoint(world, url);
    const { status, body } = await post(newTenant(world), { endpointId: id, userId: 'u' });
    expect([status, body.errors[0]?.pointer]).toEqual([404, '/endpointId']);
  });

  it('is one alert for one key, which is free for events', async () => {
    const { id, tenantId } = await newEndpoint(world, url);
    const asked = { endpointId: id, userId: 'u' };
    world.takeUnits();
    const first = await post(tenantId, asked, 'k');
    // The endpoint is read.
    expect(world.takeUnits()).toBe(1 + 5);
    const again = await post(tenantId, asked, 'k');
    expect([again.body, again.headers['idempotent-replayed']]).toEqual([first.body, 'true']);
    const other = await post(tenantId, { ...asked, userId: 'v' }, 'k');
    expect(other.body.code).toBe('idempotency_key_reused');
    const event = { body: { type: 'a', data: 1 }, key: 'k' };
    expect((await ask(tenantId, 'POST /v1/events', event)).status).toBe(202);
  });
});
