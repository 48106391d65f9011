import { beforeAll, describe, expect, it } from 'vitest';
import { saveDelivery } from '../../functions/webhooks/delivery.store.ts';
import { newDelivery } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { putStatus, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  newEvent,
  recordOf,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

useStillTime();

const MINUTE_MS = 60_000;

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

/** An endpoint that was disabled for three events, after three that it has not taken. */
async function afterAnOutage(behaviour: Behaviour) {
  const receiver = await startReceiver(behaviour);
  const endpoint = await newEndpoint(world, receiver.url, { retry: { maxAttempts: 1 } });
  const { tenantId } = endpoint;
  const from = new Date(world.clock.nowMs()).toISOString();
  const send = async (type: string) => {
    world.clock.advance(1);
    const event = await newEvent(world, tenantId, { type });
    await relayEvents([event], { ...world, endpointSets: world.endpointSets });
    await workUntil(world, world.clock.nowMs());
    return event;
  };
  const failed = [await send('order.paid'), await send('order.sent'), await send('order.paid')];
  await putStatus(world, endpoint, 'disabled');
  await bumpSet(tenantId);
  const missed = [await send('order.paid'), await send('order.sent'), await send('order.paid')];
  await putStatus(world, endpoint, 'active');
  await bumpSet(tenantId);
  world.clock.advance(1_000);
  const to = new Date(world.clock.nowMs()).toISOString();
  const body = { endpointId: endpoint.id, from, to };
  return { receiver, endpoint, tenantId, failed, missed, body };
}

/** A delivery at its end, with an event of its own. */
async function giveUp({ tenantId, id: endpointId }: Endpoint): Promise<void> {
  world.clock.advance(1);
  const nowMs = world.clock.nowMs();
  const name = { tenantId, endpointId, eventId: world.ids.next('evt'), eventType: 'order.paid' };
  const delivery = { ...newDelivery(name, nowMs), status: 'exhausted', token: 'one' } as const;
  await world.db.commit([saveDelivery(delivery, undefined, nowMs)]);
}

async function bumpSet(tenantId: string): Promise<void> {
  await world.db.commit([
    {
      kind: 'update',
      table: 'endpoints',
      key: { pk: tenantId, sk: 'V' },
      update: 'ADD version :one',
      values: { ':one': 1 },
    },
  ]);
}

const workOn = () => workUntil(world, world.clock.nowMs() + 2 * MINUTE_MS);

describe('POST /v1/replays', () => {
  it('sends what is exhausted and what was missed, oldest first, and counts it', async () => {
    const outage = await afterAnOutage((nth) => (nth <= 3 ? 500 : 200));
    const { tenantId, endpoint, receiver, body, failed, missed } = outage;
    const made = await ask(tenantId, 'POST /v1/replays', { body });
    expect(made.status).toBe(202);
    expect(made.body).toMatchObject({ status: 'running', matched: 0, sent: 0, rateShare: 0.5 });
    await workOn();
    const done = await ask(tenantId, `GET /v1/replays/${made.body.id}`);
    expect(done.body).toMatchObject({ status: 'done', matched: 6, sent: 6 });
    const got = receiver.got.slice(3).map((it) => it.headers['webhook-id']);
    expect(got).toEqual([...failed, ...missed].map((it) => it.id));
    for (const event of [...failed, ...missed]) {
      expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
    }
  });

  it('counts by a dry run, and sends nothing', async () => {
    const { tenantId, receiver, body, failed } = await afterAnOutage(() => 500);
    const asked = { body: { ...body, dryRun: true, statuses: ['exhausted', 'missing'] } };
    const tried = await ask(tenantId, 'POST /v1/replays', asked);
    expect(tried.status).toBe(200);
    expect(tried.body).toMatchObject({ object: 'dry_run', matched: 6, hasMore: false });
    expect(tried.body.data[0]).toMatchObject({ eventId: failed[0]?.id, status: 'exhausted' });
    expect(tried.body.data[5]).toMatchObject({ status: 'pending' });
    await workOn();
    expect(receiver.got).toHaveLength(3);
  });

  it('ignores the Idempotency-Key of a dry run, and leaves it free', async () => {
    const { tenantId, body } = await afterAnOutage(() => 500);
    const replay = async (dryRun: boolean) => {
      const asked = { body: { ...body, dryRun }, key: 'k' };
      const { status, headers } = await ask(tenantId, 'POST /v1/replays', asked);
      return [status, headers['idempotent-replayed']];
    };

    expect(await replay(true)).toEqual([200, undefined]);
    expect(await replay(false)).toEqual([202, undefined]);
    expect(await replay(true)).toEqual([200, undefined]);
    expect(await replay(false)).toEqual([202, 'true']);
  });

  it('counts by a dry run no longer than its caller waits, and says so', async () => {
    const { tenantId, endpoint } = await afterAnOutage(() => 500);
    const { id: endpointId } = endpoint;
    for (let nth = 0; nth < 600; nth += 1) await giveUp(endpoint);
    const slow: typeof world.db.getAll = async (keys) => {
      world.clock.advance(11_000);
      return world.db.getAll(keys);
    };
    const asked = { endpointId, from: new Date(0).toISOString(), statuses: ['exhausted'] };
    const to = new Date(world.clock.nowMs() + 1).toISOString();
    const slowly = webhooksApi({ ...world, db: { ...world.db, getAll: slow } });
    const body = { ...asked, to, dryRun: true };
    const tried = await slowly(tenantId, 'POST /v1/replays', { body });
    expect(tried.body.hasMore).toBe(true);
    expect(tried.body.matched).toBeLessThan(600);
    const whole = await ask(tenantId, 'POST /v1/replays', { body });
    expect(whole.body).toMatchObject({ matched: 603, hasMore: false });
  });

  it('heeds types, statuses and times', async () => {
    const { tenantId, body, failed } = await afterAnOutage(() => 500);
    const matched = async (fields: object) => {
      const asked = { body: { ...body, dryRun: true, ...fields } };
      return (await ask(tenantId, 'POST /v1/replays', asked)).body.matched;
    };
    expect(await matched({ eventTypes: ['order.sent'] })).toBe(2);
    expect(await matched({ eventTypes: ['order.*'], statuses: ['missing'] })).toBe(3);
    expect(await matched({ statuses: ['uncertain', 'expired'] })).toBe(0);
    expect(await matched({ statuses: ['delivered'] })).toBe(0);
    const second = failed[1]?.occurredAtMs ?? 0;
    expect(await matched({ from: new Date(second).toISOString() })).toBe(5);
    expect(await matched({ to: new Date(second).toISOString() })).toBe(1);
  });

  it('sends delivered ones again only when they are named', async () => {
    const { tenantId, receiver, body } = await afterAnOutage(() => 200);
    const asked = { body: { ...body, statuses: ['delivered'], rateShare: 1 } };
    await ask(tenantId, 'POST /v1/replays', asked);
    await workOn();
    const ids = receiver.got.map((it) => it.headers['webhook-id']);
    expect(ids.slice(3)).toEqual(ids.slice(0, 3));
  });

  it('sends nothing again that came after it was asked for, however late its end', async () => {
    const { tenantId, endpoint, receiver, body } = await afterAnOutage(() => 200);
    const to = new Date(world.clock.nowMs() + 100 * MINUTE_MS).toISOString();
    const asked = { body: { ...body, to, statuses: ['delivered'] } };
    const made = await ask(tenantId, 'POST /v1/replays', asked);
    expect(made.body.to).toBe(new Date(world.clock.nowMs()).toISOString());
    world.clock.advance(1);
    const event = await newEvent(world, tenantId, { type: 'order.paid' });
    await relayEvents([event], { ...world, endpointSets: world.endpointSets });
    await workOn();
    const { body: done } = await ask(tenantId, `GET /v1/replays/${made.body.id}`);
    expect(done).toMatchObject({ status: 'done', matched: 3 });
    const ids = receiver.got.map((it) => it.headers['webhook-id']);
    expect(ids.filter((it) => it === event.id)).toHaveLength(1);
    expect((await recordOf(world, endpoint, event)).status).toBe('delivered');
  });

  it('does not take its time for what it passes over', async () => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, {
      perSecond: 1,
      eventTypes: ['order.sent'],
    });
    const { tenantId } = endpoint;
    await putStatus(world, endpoint, 'disabled');
    await bumpSet(tenantId);
    const from = new Date(world.clock.nowMs()).toISOString();
    for (const type of [...new Array(150).fill('order.paid'), 'order.sent', 'order.sent']) {
      world.clock.advance(1);
      await relayEvents([await newEvent(world, tenantId, { type })], world);
    }
    await putStatus(world, endpoint, 'active');
    world.clock.advance(1_000);
    const to = new Date(world.clock.nowMs()).toISOString();
    const asked = { body: { endpointId: endpoint.id, from, to, rateShare: 0.2 } };
    const { body } = await ask(tenantId, 'POST /v1/replays', asked);
    await workUntil(world, world.clock.nowMs() + 20_000);
    const done = await ask(tenantId, `GET /v1/replays/${body.id}`);
    expect(done.body).toMatchObject({ status: 'done', matched: 2, sent: 2 });
    expect(receiver.got).toHaveLength(2);
  });

  it('makes one replay per key, also for another endpoint', async () => {
    const { tenantId, body } = await afterAnOutage(() => 500);
    const first = await ask(tenantId, 'POST /v1/replays', { body, key: 'k' });
    const again = await ask(tenantId, 'POST /v1/replays', { body, key: 'k' });
    expect(again.body.id).toBe(first.body.id);
    expect(again.headers['idempotent-replayed']).toBe('true');
    const other = await newEndpoint(world, 'http://127.0.0.1:1/hook', { tenantId });
    const elsewhere = { body: { ...body, endpointId: other.id }, key: 'k' };
    expect((await ask(tenantId, 'POST /v1/replays', elsewhere)).body).toMatchObject({
      code: 'idempotency_key_reused',
    });
    const list = await ask(tenantId, `GET /v1/replays?endpointId=${body.endpointId}`);
    expect(list.body.data.map((it) => it.id)).toEqual([first.body.id]);
  });

  it('is made once also where the answer of the table was lost, without a key', async () => {
    const { tenantId, body } = await afterAnOutage(() => 200);
    // As the SDK does it: what got no answer is sent again.
    const commit: typeof world.db.commit = async (writes) => {
      await world.db.commit(writes);
      return world.db.commit(writes);
    };
    const lossy = webhooksApi({ ...world, db: { ...world.db, commit } });
    const made = await lossy(tenantId, 'POST /v1/replays', { body });
    expect(made.status).toBe(202);
    const { body: list } = await ask(tenantId, `GET /v1/replays?endpointId=${body.endpointId}`);
    expect(list.data.map((it) => it.id)).toEqual([made.body.id]);
  });

  it('is answered again by its key after its endpoint is gone', async () => {
    const { tenantId, body } = await afterAnOutage(() => 500);
    const first = await ask(tenantId, 'POST /v1/replays', { body, key: 'k' });
    await ask(tenantId, `DELETE /v1/endpoints/${body.endpointId}`);
    const again = await ask(tenantId, 'POST /v1/replays', { body, key: 'k' });
    expect([again.status, again.body.id]).toEqual([202, first.body.id]);
    expect((await ask(tenantId, 'POST /v1/replays', { body, key: 'l' })).status).toBe(404);
  });

  it('is stopped by DELETE: what it has not sent stays as it was', async () => {
    const { tenantId, receiver, endpoint, body, failed } = await afterAnOutage(() => 500);
    const made = await ask(tenantId, 'POST /v1/replays', { body });
    const stopped = await ask(tenantId, `DELETE /v1/replays/${made.body.id}`);
    expect(stopped.body).toMatchObject({ status: 'cancelled', sent: 0 });
    await workOn();
    expect(receiver.got).toHaveLength(3);
    for (const event of failed) {
      expect((await recordOf(world, endpoint, event)).status).toBe('exhausted');
    }
    const again = await ask(tenantId, `DELETE /v1/replays/${made.body.id}`);
    expect(again.body.status).toBe('cancelled');
  });

  it('waits for an endpoint that is closed', async () => {
    const { tenantId, receiver, endpoint, body } = await afterAnOutage((nth) =>
      nth <= 3 ? 500 : 200,
    );
    await putStatus(world, endpoint, 'paused');
    await ask(tenantId, 'POST /v1/replays', { body });
    await workOn();
    expect(receiver.got).toHaveLength(3);
    const message = await putStatus(world, endpoint, 'active');
    if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
    await workOn();
    expect(receiver.got).toHaveLength(9);
  });

  it.each([
    {
      what: 'an unknown endpoint',
      body: { endpointId: 'end_00000000000000000000000000' },
      is: 404,
    },
    { what: 'times that do not follow', body: { to: '2020-01-01T00:00:00Z' }, is: 422 },
    { what: 'an unknown status', body: { statuses: ['held'] }, is: 422 },
    { what: 'no share at all', body: { rateShare: 0 }, is: 422 },
  ])('refuses $what', async ({ body, is }) => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const good = {
      endpointId: endpoint.id,
      from: '2026-01-01T00:00:00Z',
      to: '2027-01-01T00:00:00Z',
    };
    const asked = { body: { ...good, ...body } };
    expect((await ask(endpoint.tenantId, 'POST /v1/replays', asked)).status).toBe(is);
  });

  it.each([
    { aheadMs: 0, dryRun: false, is: 422 },
    { aheadMs: 0, dryRun: true, is: 422 },
    { aheadMs: MINUTE_MS, dryRun: false, is: 422 },
    { aheadMs: -1, dryRun: false, is: 202 },
    { aheadMs: -1, dryRun: true, is: 200 },
  ])('answers $is where it begins $aheadMs ms ahead (dry run: $dryRun)', async (it) => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const from = new Date(world.clock.nowMs() + it.aheadMs).toISOString();
    const to = new Date(world.clock.nowMs() + 10 * MINUTE_MS).toISOString();
    const body = { endpointId: endpoint.id, from, to, dryRun: it.dryRun };
    const answer = await ask(endpoint.tenantId, 'POST /v1/replays', { body });
    expect(answer.status).toBe(it.is);
    if (it.is !== 422) return;
    const detail = 'must be in the past: a replay sends what was accepted before it';
    const errors = [{ pointer: '/from', code: 'invalid', detail }];
    expect(answer.body).toMatchObject({ code: 'validation_failed', errors });
    expect(answer.body.detail).toBe(`/from: ${detail}`);
    const list = await ask(endpoint.tenantId, `GET /v1/replays?endpointId=${endpoint.id}`);
    expect(list.body.data).toEqual([]);
  });

  it('repeats one that has begun by the clock of another machine only', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const nowMs = world.clock.nowMs();
    const from = new Date(nowMs - 1).toISOString();
    const body = { endpointId: endpoint.id, from, to: new Date(nowMs).toISOString() };
    const call = (key: string, more: object = {}) =>
      ask(endpoint.tenantId, 'POST /v1/replays', { body: { ...body, ...more }, key });
    const made = await call('k');
    world.clock.set(nowMs - 1_000);
    const again = await call('k');
    expect([again.status, again.body.id]).toEqual([202, made.body.id]);
    for (const other of [call('l'), call('k', { dryRun: true })]) {
      expect((await other).body.code).toBe('validation_failed');
    }
    world.clock.set(nowMs);
  });

  it('shows no replay of another tenant', async () => {
    const { tenantId, body } = await afterAnOutage(() => 500);
    const made = await ask(tenantId, 'POST /v1/replays', { body });
    const other = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    for (const method of ['GET', 'DELETE']) {
      const answer = await ask(other.tenantId, `${method} /v1/replays/${made.body.id}`);
      expect(answer.status).toBe(404);
    }
  });
});
