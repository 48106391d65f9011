import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import {
  findNextWanted,
  findUnmarked,
  findWanted,
  type WantedPage,
} from '../../functions/webhooks/find-wanted.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import type { ReleasedStatus } from '../../functions/webhooks/release.ts';
import { costOf } from '../support/cost.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, webhooksApi } from './api.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, newEvent } from './delivery-world.ts';

useStillTime();

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});
beforeEach(() => void world.sent.splice(0));

const LONG = JSON.stringify({ text: 'x'.repeat(60_000) });

/** Events that an endpoint has missed: ten long ones of a type, and an order. */
async function withMissed(type: string, fields: { eventTypes?: string[]; perSecond?: number }) {
  const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', fields);
  const { tenantId } = endpoint;
  const long = { type, data: LONG };
  for (let nth = 0; nth < 10; nth += 1) {
    const event = await newEvent(world, tenantId, long);
    await relayEvents([event], { ...world, endpointSets: async () => [] });
  }
  const order = await newEvent(world, tenantId);
  await relayEvents([order], { ...world, endpointSets: async () => [] });
  const nowMs = world.clock.nowMs();
  const between = { fromMs: nowMs - 60_000, toMs: nowMs + 60_000 };
  const find = async (status: ReleasedStatus, eventTypes?: string[]) => {
    const wants = { statuses: [status], eventTypes, between };
    const release = { tenantId, endpointId: endpoint.id, wants, createdAtMs: nowMs };
    const page = await findWanted(release, { endpoint }, { count: 100, world });
    return page.rows.map((it) => it.eventId);
  };
  return { endpoint, order, find, between };
}

describe('a step of a release', () => {
  it('keeps its place before its time is up, where it passes over very much', async () => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook', { eventTypes: ['none'] });
    const { tenantId, id: endpointId } = endpoint;
    const nowMs = world.clock.nowMs();
    for (let nth = 0; nth < 300; nth += 1) await newEvent(world, tenantId, { type: 'invoice.due' });
    const last = await newEvent(world, tenantId, { type: 'invoice.due', to: endpointId });
    await relayEvents([last], { ...world, endpointSets: async () => [] });
    const getAll: Db['getAll'] = (keys) => {
      world.clock.advance(2_000);
      return world.db.getAll(keys);
    };
    const slow = { ...world, db: { ...world.db, getAll } };
    const between = { fromMs: nowMs - 60_000, toMs: nowMs + 60_000 };
    const wants = { statuses: ['missing'] as const, between };
    const release = { tenantId, endpointId, wants, createdAtMs: nowMs };

    let page: WantedPage = { rows: [], cursor: undefined, isEnd: false };
    const cursors: (string | undefined)[] = [];
    while (!page.isEnd && page.rows.length === 0) {
      const startMs = world.clock.nowMs();
      const from = { ...release, cursor: page.cursor };
      page = await findNextWanted(from, { endpoint }, { count: 1, world: slow });
      expect(world.clock.nowMs() - startMs).toBeLessThan(20_000);
      cursors.push(page.cursor);
    }
    expect(page.rows.map((it) => it.eventId)).toEqual([last.id]);
    expect(cursors).toEqual([...new Set(cursors)].sort());
  });

  it('that is finished reads no event without a delivery to see whether it names it', async () => {
    const { endpoint, between } = await withMissed('order.sent', {});
    const { tenantId, id: endpointId } = endpoint;
    const wants = { statuses: ['missing'] as const, between };
    const release = { tenantId, endpointId, wants, planned: { through: 'evt_~' } };
    // Half a unit for each of the four shards, and one for each delivery that is not there.
    const cost = await costOf(world, async () => {
      expect(await findUnmarked(release, world)).toEqual([]);
    });
    expect(cost).toBe('13 RRU, 0 + 0 WRU');
  });
});

describe('a search for what has no delivery', () => {
  // Half a unit for each of the four shards of the list, and one each for what may be wanted:
  // whether it has a delivery, and its event.
  it('reads no event that is not wanted by its type', async () => {
    const { order, find } = await withMissed('order.sent', {});
    let found: string[] = [];
    const cost = await costOf(world, async () => {
      found = await find('missing', ['order.paid']);
    });
    expect(found).toEqual([order.id]);
    expect(cost).toBe('4 RRU, 0 + 0 WRU');
  });

  it.each(['missing', 'pending'] as const)(
    'reads no event of ours that the endpoint does not name: %s',
    async (status) => {
      const { order, find } = await withMissed('file.completed', { eventTypes: ['order.*'] });
      let found: string[] = [];
      const cost = await costOf(world, async () => {
        found = await find(status);
      });
      expect(found).toEqual(status === 'missing' ? [order.id] : []);
      expect(cost).toBe('4 RRU, 0 + 0 WRU');
    },
  );

  it('finds what is addressed to an endpoint that does not name its type', async () => {
    const { endpoint, order, find } = await withMissed('invoice.due', { eventTypes: ['order.*'] });
    const { tenantId, id: to } = endpoint;
    for (const type of ['invoice.due', 'alert']) {
      const event = await newEvent(world, tenantId, { type, to });
      await relayEvents([event], { ...world, endpointSets: async () => [] });
    }
    expect(await find('missing')).toHaveLength(3);
    expect(await find('missing', ['order.*'])).toEqual([order.id]);
  });
});

describe('replays that only a later version of the code understands', () => {
  it.each([{ v: 2 }, { kind: 'later' }])('hide no others: %o', async (change) => {
    const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/hook');
    const { tenantId, id: endpointId } = endpoint;
    const body = { endpointId, from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };
    const made = await ask(tenantId, 'POST /v1/replays', { body });
    await ask(tenantId, 'POST /v1/replays', { body });
    const pk = `${tenantId}#${endpointId}`;
    const of = { table: 'endpoints', pk, sk: { prefix: 'REL#rpl_' }, newestFirst: true } as const;
    const { items } = await world.db.query(of);
    const [newest] = items;
    if (!newest) throw new Error('no replay is stored');
    const item = { ...newest, pk, sk: String(newest.sk), ...change };
    await world.db.commit([{ kind: 'put', table: 'endpoints', item }]);
    const list = await ask(tenantId, `GET /v1/replays?endpointId=${endpointId}`);
    expect(list.status).toBe(200);
    expect(list.body.data.map((it) => it.id)).toEqual([made.body.id]);
  });
});
