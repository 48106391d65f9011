import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { World, Write } from '../../functions/shared/world.ts';
import { findDeliveries } from '../../functions/webhooks/delivery.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { care, sweepEndpoint, takeReady, workUntil } from './care.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, newEvent } from './delivery-world.ts';

useStillTime();

type Db = World['db'];

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});
beforeEach(() => void world.sent.splice(0));

/** As many deliveries in a queue, none with a record, behind an endpoint that is paused. */
async function closed(count: number) {
  const endpoint = await newEndpoint(world, 'http://127.0.0.1:1/', { perSecond: 0.5 });
  const { tenantId, id } = endpoint;
  const events = [];
  for (let nth = 0; nth < count; nth += 1) events.push(await newEvent(world, tenantId));
  await relayEvents(events, world);
  world.sent.splice(0);
  const asked = { body: { status: 'paused' } };
  await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, asked);
  const names = events.map(({ id: eventId }) => ({ tenantId, endpointId: id, eventId }));
  const heldCount = async () => {
    const rows = await findDeliveries(world.db, names);
    return rows.filter((it) => it?.status === 'held').length;
  };
  const step = async (db: Db) => {
    const [message] = takeReady(world, /^endpoint-care/);
    if (!message) throw new Error('there is no step to take');
    await care(message, { ...world, db });
  };
  return { endpoint, heldCount, step };
}

const nameOf = (it: Write) => {
  const { pk, sk } = it.kind === 'put' ? it.item : it.key;
  return `${it.table} ${pk} ${sk}`;
};

/** As DynamoDB: of two transactions with an item in common at the same time one is refused. */
function conflicting(db: Db): Db & { conflicts: number } {
  const busy = new Set<string>();
  const doors = {
    ...db,
    conflicts: 0,
    async commit(writes: readonly Write[]) {
      const names = writes.length === 1 ? [] : writes.map(nameOf);
      if (names.some((it) => busy.has(it))) {
        doors.conflicts += 1;
        const reasons = names.map((it) => ({ code: busy.has(it) ? 'conflict' : 'none' }) as const);
        return { ok: false, reasons } as const;
      }
      for (const it of names) busy.add(it);
      try {
        return await db.commit(writes);
      } finally {
        for (const it of names) busy.delete(it);
      }
    },
  };
  return doors;
}

it('holds what is in a queue without being in its own way', async () => {
  const { heldCount, step } = await closed(210);
  const db = conflicting(world.db);
  await step(db);
  expect([db.conflicts, await heldCount()]).toEqual([0, 210]);
});

it('goes on from where it came to, when others are in its way for long', async () => {
  const { endpoint, heldCount, step } = await closed(210);
  let held = 0;
  const commit: Db['commit'] = async (writes) => {
    const holds = writes.filter((it) => it.table === 'deliveries').length;
    const isHindered = holds > 0 && held > 0;
    held += holds;
    if (!isHindered) return world.db.commit(writes);
    return { ok: false, reasons: writes.map(() => ({ code: 'conflict' })) };
  };
  await step({ ...world.db, commit });
  expect(await heldCount()).toBe(99);
  expect(await releasesOf(endpoint)).toMatchObject([{ sent: 99, hasMoved: true }]);
  await workUntil(world, world.clock.nowMs() + 1_000);
  expect(await heldCount()).toBe(210);
});

it('holds the others where somebody has made something of one', async () => {
  const { endpoint, heldCount, step } = await closed(20);
  const db: Db = {
    ...world.db,
    async commit(writes) {
      const [first] = writes.filter((it) => it.table === 'deliveries');
      const isFirstTry = writes.filter((it) => it.table === 'deliveries').length === 20;
      if (first && isFirstTry) await world.db.commit([first]);
      return world.db.commit(writes);
    },
  };
  await step(db);
  expect(await heldCount()).toBe(20);
  expect(await releasesOf(endpoint)).toMatchObject([{ sent: 19 }]);
});

it('holds nothing more once the endpoint is open', async () => {
  const { endpoint, heldCount, step } = await closed(20);
  const { tenantId, id } = endpoint;
  const commit: Db['commit'] = async (writes) => {
    if (writes.some((it) => it.table === 'deliveries')) {
      const asked = { body: { status: 'active' } };
      await webhooksApi(world)(tenantId, `PATCH /v1/endpoints/${id}`, asked);
    }
    return world.db.commit(writes);
  };
  await step({ ...world.db, commit });
  expect(await heldCount()).toBe(0);
});

it('leaves a release alone whose kind only a later version knows', async () => {
  const { endpoint, heldCount, step } = await closed(5);
  const [found] = await releasesOf(endpoint);
  if (!found) throw new Error('there is no release');
  const later = { ...found, pk: String(found.pk), sk: String(found.sk), kind: 'later' };
  await world.db.commit([{ kind: 'put', table: 'endpoints', item: later }]);
  await step(world.db);
  expect(await releasesOf(endpoint)).toEqual([later]);
  expect(await sweepEndpoint(world, endpoint)).toMatchObject([{ body: { sk: found.sk } }]);
  expect(await heldCount()).toBe(0);
});

async function releasesOf({ tenantId, id }: Endpoint) {
  const sk = { prefix: 'REL#held#' };
  const { items } = await world.db.query({ table: 'endpoints', pk: `${tenantId}#${id}`, sk });
  return items;
}
