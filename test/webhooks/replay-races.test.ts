import { beforeAll, describe, expect, it } from 'vitest';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { care, sweepEndpoint, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  newEvent,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

it('a replay waits for what is just being relayed, which may miss the endpoint', async () => {
  const receiver = await startReceiver(() => 200);
  const endpoint = await newEndpoint(world, receiver.url, { status: 'disabled' });
  const { tenantId, id: endpointId } = endpoint;
  const event = await newEvent(world, tenantId);
  let made: { status: number } | undefined;
  // The relay knows the endpoint as it was: it is opened, and replayed, before the event is marked.
  const commit: DeliveryWorld['db']['commit'] = async (writes) => {
    const isMark = writes.some((it) => it.kind === 'update' && it.table === 'outbox');
    if (isMark && !made) {
      const change = { status: 'active' };
      await ask(tenantId, `PATCH /v1/endpoints/${endpointId}`, { body: change });
      world.clock.advance(1);
      const from = new Date(world.clock.nowMs() - MINUTE_MS).toISOString();
      const to = new Date(world.clock.nowMs()).toISOString();
      const body = { endpointId, from, to, statuses: ['missing'] };
      made = await ask(tenantId, 'POST /v1/replays', { body });
      for (const it of takeReady(world, /endpoint-care/)) await care(it, world);
    }
    return world.db.commit(writes);
  };
  await relayEvents([event], { ...world, db: { ...world.db, commit } });
  expect(made?.status).toBe(202);
  await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
  expect(receiver.got.map((it) => it.headers['webhook-id'])).toEqual([event.id]);
});

describe('a replay of what was delivered, whose worker dies', () => {
  it.each([3, 4, 5, 6])('after %i writes sends each once more, and no more', async (survived) => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url);
    const { tenantId, id: endpointId } = endpoint;
    const from = new Date(world.clock.nowMs()).toISOString();
    for (let nth = 0; nth < 4; nth += 1) {
      world.clock.advance(1);
      await relayed(world, tenantId);
    }
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    const to = new Date(world.clock.nowMs()).toISOString();
    const body = { endpointId, from, to, statuses: ['delivered'] };
    const made = await ask(tenantId, 'POST /v1/replays', { body });
    let commits = 0;
    const commit: DeliveryWorld['db']['commit'] = async (writes) => {
      commits += 1;
      if (commits > survived) throw new Error('died');
      return world.db.commit(writes);
    };
    const dying = { ...world, db: { ...world.db, commit } };
    for (const message of takeReady(world, /endpoint-care/)) {
      await expect(care(message, dying)).rejects.toThrow('died');
    }
    for (let minute = 0; minute < 4; minute += 1) {
      world.sent.push(...(await sweepEndpoint(world, endpoint)));
      await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    }
    const replay = await ask(tenantId, `GET /v1/replays/${made.body.id}`);
    expect(replay.body).toMatchObject({ status: 'done', matched: 4, sent: 4 });
    expect(receiver.got).toHaveLength(4 + 4);
  });
});
