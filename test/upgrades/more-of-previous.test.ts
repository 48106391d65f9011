import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { DUE_QUEUES } from '../../functions/timers/due-table.ts';
import { asInstance, inboxClient, push } from '../inbox/inbox-house.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { checkInbox } from '../support/invariants/inbox.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { testWorld } from '../support/world.ts';
import { type Fixture, keptFixture, loadFixture, readFixture, scan } from './fixture.ts';
import { LARGE_TEXT, MoreHouse, makeMoreState } from './more-state.ts';

/** As the other one: made by UPDATE_FIXTURES=1 before a change of form, and kept with it. */
const FILE = new URL('../fixtures/release-0.1-more.json', import.meta.url);
const FIRST = new URL('../fixtures/release-0.1.json', import.meta.url);

let fixture: Fixture;
beforeAll(async () => {
  fixture = await keptFixture(FILE, (world) => makeMoreState(new MoreHouse(world)));
});

const idOf = (name: string): string => fixture.ids[name] ?? '';

it('has, with the first, something of every table and of every queue', async () => {
  const both = [fixture, readFixture(readFileSync(FIRST, 'utf8'))];
  const tables = new Set(both.flatMap((it) => Object.keys(it.tables)));
  const queues = new Set<string>(both.flatMap((it) => it.messages.map(({ queue }) => queue)));
  const { tables: wanted } = await testWorld();
  // Nothing depends on what was counted.
  const named = Object.keys(wanted).filter((it) => it !== 'meters');
  expect(named.filter((it) => !tables.has(it))).toEqual([]);
  const work = [...Object.values(DUE_QUEUES), 'delivery-fast', 'file-blocks', 'sweeps'];
  expect(work.filter((it) => !queues.has(it))).toEqual([]);
});

it('has a form in every item and message', () => {
  for (const [table, items] of Object.entries(fixture.tables)) {
    for (const { v, pk, sk } of items) expect([table, pk?.S, sk?.S, v?.N]).toContain('1');
  }
  expect(fixture.messages.map((it) => it.body.v)).toEqual(fixture.messages.map(() => 1));
});

it.each([
  ['as it is', {}],
  ['with fields that only the next release knows', { later: { S: 'additive' } }],
])('is read and worked on by this release: %s', async (_title, more) => {
  const house = new MoreHouse(await testWorld());
  const { world } = house;
  await loadFixture(world, fixture, (item) => ({ ...item, ...more }));
  world.sent.push(...fixture.messages.map((it) => ({ ...it, body: { ...it.body, ...more } })));
  const tenantId = idOf('tenantId') as `ten_${string}`;
  const { ask } = inboxClient(asInstance(world), tenantId);
  expect((await ask(`GET /v1/sources/${idOf('source')}`)).body.status).toBe('active');
  expect((await ask(`POST /v1/webhooks/${idOf('failed')}/replay`)).status).toBe(202);

  const again = await push(ask, { id: idOf('marked') }, LARGE_TEXT);
  expect([again.status, again.body.id]).toEqual([200, idOf('open')]);

  const settled = await house.settle({ tenantId, id: idOf('file') } as never);

  expect(settled.state).toBe('completed');
  for (const name of ['done', 'failed', 'open']) {
    const { body } = await ask(`GET /v1/webhooks/${idOf(name)}`);
    expect([name, body.status]).toEqual([name, 'completed']);
  }
  expect(house.accepted).toEqual(expect.arrayContaining([idOf('held'), idOf('exhausted')]));
  const { body } = await house.webhooks(tenantId)(`GET /v1/replays/${idOf('replay')}`);
  expect(body).toMatchObject({ status: 'done', sent: 1 });
  const all = await takeSnapshot(world.client, world.tables);
  expect([...checkInbox(all), ...checkFiles(all)]).toEqual([]);
});

it('leaves items of a later form alone, and says so', async () => {
  const house = new MoreHouse(await testWorld());
  const { world } = house;
  await loadFixture(world, fixture, (item) => ({ ...item, v: { N: '2' } }));
  const stored = () => Promise.all(Object.values(world.tables).map((it) => scan(world.client, it)));
  const before = await stored();
  for (const message of fixture.messages.filter(({ queue }) => queue !== 'sweeps')) {
    await expect(house.handle(message), message.queue).rejects.toThrow('a later release has');
  }
  expect(await stored()).toEqual(before);
});
