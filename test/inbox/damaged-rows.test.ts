import { beforeAll, beforeEach, expect, it } from 'vitest';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { type InboxWorld, inboxClient, inboxWorld, newSource, push, work } from './inbox-house.ts';

let world: InboxWorld;
let tenantId: string;
let ask: Ask;
let source: RoomBody;
let ids: string[];
beforeAll(async () => {
  world = await inboxWorld();
});
/** Three webhooks of one source, the oldest first. */
beforeEach(async () => {
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
  source = await newSource(ask);
  ids = [];
  for (let n = 0; n < 3; n += 1) {
    world.clock.advance(1_000);
    ids.push((await push(ask, source, `{"n":${n}}`)).body.id);
  }
  world.lines.splice(0);
});

const keyOf = (id = '') => ({ pk: `${tenantId}#${id}`, sk: '#' });
const unreadable = () => world.lines.filter(({ event }) => event === 'row.unreadable');
const told = (pk: string) => expect.objectContaining({ event: 'row.unreadable', pk, sk: '#' });

/** As a hand in a table, or a rollback behind a release that stores something else. */
async function damage(key: { pk: string; sk: string }, update: string, value?: unknown) {
  const values = value === undefined ? {} : { values: { ':v': value } };
  await world.db.commit([{ kind: 'update', table: 'inbox', key, update, ...values }]);
}

it.each([
  ['without its hash', 'REMOVE sha', undefined],
  ['of a later form', 'SET v = :v', 99],
  ['of a time that there is not', 'SET ts = :v', 9e15],
])('a receipt %s is left out of lists, and hides no other', async (_what, update, value) => {
  await damage(keyOf(ids[1]), update, value);
  for (const query of ['', '?status=pending', `?sourceId=${source.id}`, '?limit=2']) {
    world.lines.splice(0);
    const { status, body } = await ask(`GET /v1/webhooks${query}`);
    expect([query, status]).toEqual([query, 200]);
    const after =
      body.nextCursor && (await ask(`GET /v1/webhooks?limit=2&cursor=${body.nextCursor}`));
    const shown = [...body.data, ...(after ? after.body.data : [])].map(({ id }) => id);
    expect(shown).toEqual([ids[2], ids[0]]);
    expect(unreadable()).toContainEqual(told(keyOf(ids[1]).pk));
  }
  expect((await ask(`GET /v1/webhooks/${ids[1]}`)).status).toBe(500);
});

it('a damaged receipt does not hide its source, nor how long the others have waited', async () => {
  await damage(keyOf(ids[0]), 'REMOVE sha');
  const { status, body } = await ask(`GET /v1/sources/${source.id}`);
  expect([status, body.oldestAgeSeconds]).toEqual([200, 1]);
  expect(unreadable()).toEqual([told(keyOf(ids[0]).pk)]);
});

it('a damaged receipt that has failed keeps no other from its replay', async () => {
  const commit: Db['commit'] = async (writes) => {
    if (writes.some(({ table }) => table === 'outbox')) throw new Error('a bug of ours');
    return world.db.commit(writes);
  };
  const retryPlan = { ...world.retryPlan, maxAttempts: 1 };
  const doors = { ...world, retryPlan, db: { ...world.db, commit } };
  const deadlineMs = world.clock.nowMs() + MINUTE_MS;
  for (const id of ids) await forwardReceipt({ ...keyOf(id), dueMs: 0 }, doors, { deadlineMs });
  world.sent.splice(0);
  await damage(keyOf(ids[1]), 'REMOVE sha');

  const { status, body } = await ask('POST /v1/webhooks/replays', { body: {} });
  expect([status, body]).toEqual([202, { replayed: 2, hasMore: false }]);
  expect(unreadable()).toEqual([told(keyOf(ids[1]).pk)]);
  await work(world);
  const { body: completed } = await ask('GET /v1/webhooks?status=completed');
  expect(completed.data.map(({ id }) => id)).toEqual([ids[2], ids[0]]);
});

it.each([
  ['without its terms', 'REMOVE overflow', undefined],
  ['of a later form', 'SET v = :v', 99],
  ['of a time that there is not', 'SET createdAt = :v', 9e15],
])('a source %s is left out of the list, and hides no other', async (_what, update, value) => {
  const { id: damaged } = await newSource(ask);
  await damage({ pk: damaged, sk: '#' }, update, value);
  const { status, body } = await ask('GET /v1/sources');
  expect([status, body.data?.map(({ id }) => id)]).toEqual([200, [source.id]]);
  expect(unreadable()).toEqual([told(damaged)]);
  expect((await ask(`GET /v1/sources/${damaged}`)).status).toBe(500);
});
