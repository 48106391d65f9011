import { beforeAll, describe, expect, it } from 'vitest';
import { getAudit } from '../../functions/audit/read-audits.ts';
import { getFile } from '../../functions/files/get-file.ts';
import type { Call, Contract, Route } from '../../functions/shared/http/route.ts';
import { deliveryId } from '../../functions/webhooks/delivery-name.ts';
import { getDelivery } from '../../functions/webhooks/read-deliveries.ts';
import { getEndpoint } from '../../functions/webhooks/read-endpoints.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import { type SentMessage, testWorld } from '../support/world.ts';
import { tenantsInstance } from '../tenants/tenants-api.ts';
import { type Fixture, keptFixture, loadFixture, scan } from './fixture.ts';
import { makeState, ReleaseHouse, tasksOf } from './release-house.ts';

/** Made by UPDATE_FIXTURES=1 from the release before a change of form, and kept with it. */
const FILE = new URL('../fixtures/release-0.1.json', import.meta.url);

let fixture: Fixture;
beforeAll(async () => {
  fixture = await keptFixture(FILE, (world) => makeState(new ReleaseHouse(world)));
});

const idOf = (name: string): string => fixture.ids[name] ?? '';

async function read(house: ReleaseHouse, route: Route<never>, name: string) {
  const params = { id: idOf(name) };
  const call = { tenantId: idOf('tenantId'), params, allows: () => true };
  const { body } = await route.answer(call as unknown as Call<Contract>, house.all as never);
  return body as Record<string, unknown>;
}

/** Routes answer about what is there, and change it. */
async function useRoutes(house: ReleaseHouse): Promise<void> {
  const { world } = house;
  const ledger = ledgerClient(world, idOf('tenantId'));
  const paths = [
    ...['a', 'b'].flatMap((it) => [`accounts/${idOf(it)}`, `accounts/${idOf(it)}/entries`]),
    ...[`transactions/${idOf('transfer')}`, `transactions/${idOf('reversed')}`, 'transactions'],
    ...[`holds/${idOf('pending')}`, `holds/${idOf('voided')}`, 'holds', 'accounts'],
  ];
  for (const path of paths) {
    const { status, body } = await ledger.get(`/v1/${path}`);
    expect([path, status], JSON.stringify(body)).toEqual([path, 200]);
  }
  const money = { amount: '4', currency: 'EUR' };
  const accounts = { sourceAccountId: idOf('a'), destinationAccountId: idOf('b') };
  const moved = await ledger.post('/v1/transactions', { type: 'transfer', ...accounts, ...money });
  const captured = await ledger.post(`/v1/holds/${idOf('pending')}/capture`, {});
  const reversed = await ledger.post(`/v1/transactions/${idOf('transfer')}/reversals`, {});
  expect([moved.status, captured.status, reversed.status]).toEqual([201, 201, 201]);

  const tenants = tenantsInstance(world);
  const own = await tenants('GET /v1/tenant', { key: idOf('otherKey') });
  expect([own.status, own.body.name]).toEqual([200, 'Acme']);
  expect((await tenants('GET /v1/keys', { key: idOf('otherKey') })).body.data).toHaveLength(1);
  const { ask } = tasksOf(world, idOf('tenantId'));
  expect((await ask(`GET /v1/tasks/${idOf('task')}`)).body.state).toBe('scheduled');
  expect(await read(house, getEndpoint as never, 'endpoint')).toMatchObject({ status: 'active' });
  expect(await read(house, getFile as never, 'file')).toMatchObject({ status: 'delivering' });
  expect(await read(house, getAudit as never, 'audit')).toMatchObject({ status: 'running' });
}

const isOf = (queue: string) => (it: SentMessage) => it.queue === queue;

/** Messages in flight are handled, and what they are about comes to its end. */
async function workOff(house: ReleaseHouse, messages: readonly SentMessage[]): Promise<void> {
  const { world } = house;
  house.status = 200;
  world.sent.push(...messages);
  const [file, unread] = await Promise.all(
    ['file', 'unread'].map((it) =>
      house.find({ tenantId: idOf('tenantId'), id: idOf(it) } as never),
    ),
  );
  world.clock.advance(110_000);
  await house.settle(file as never);
  await house.settle(unread as never);
  for (let it = house.takeMessage(); it; it = house.takeMessage()) await house.handle(it);
}

async function expectAllDone(house: ReleaseHouse): Promise<void> {
  const { world } = house;
  const all = await takeSnapshot(world.client, world.tables);
  expect([...checkLedger(all), ...checkTasks(all), ...checkFiles(all)]).toEqual([]);
  const ledger = ledgerClient(world, idOf('tenantId'));
  expect((await ledger.get(`/v1/holds/${idOf('hold')}`)).body.status).toBe('expired');
  const { ask } = tasksOf(world, idOf('tenantId'));
  for (const it of ['task', 'payment']) {
    expect((await ask(`GET /v1/tasks/${idOf(it)}`)).body.state, it).toBe('fired');
  }
  expect(house.accepted).toEqual(expect.arrayContaining([idOf('failed'), idOf('sent')]));
  // The alerts of both files, and the two events.
  expect(new Set(house.accepted).size).toBeGreaterThanOrEqual(30 + 12 + 2);
}

describe('the state of the previous release', () => {
  it('has a form in every item and message', () => {
    for (const [table, items] of Object.entries(fixture.tables)) {
      for (const { v, pk, sk } of items) expect([table, pk?.S, sk?.S, v?.N]).toContain('1');
    }
    // What comes from EventBridge has the form of EventBridge.
    const own = fixture.messages.filter((it) => !isOf('file-events')(it));
    expect(own.map((it) => it.body.v)).toEqual(own.map(() => 1));
    const queues = new Set(fixture.messages.map(({ queue }) => queue));
    expect([...queues].sort()).toEqual(
      expect.arrayContaining(['audits', 'delivery-fast', 'file-blocks', 'hold-expiry', 'tasks']),
    );
  });

  it.each([
    ['as it is', {}],
    ['with fields that only the next release knows', { later: { S: 'additive' } }],
  ])('is read and worked on by this one: %s', async (_title, more) => {
    const house = new ReleaseHouse(await testWorld());
    await loadFixture(house.world, fixture, (item) => ({ ...item, ...more }));
    const messages = fixture.messages.map((it) => ({ ...it, body: { ...it.body, ...more } }));
    await useRoutes(house);
    await workOff(house, messages);
    await expectAllDone(house);
  });
});

it('leaves items of a later form alone, and says so', async () => {
  const house = new ReleaseHouse(await testWorld());
  const { world } = house;
  await loadFixture(world, fixture, (item) => ({ ...item, v: { N: '2' } }));
  const stored = () => Promise.all(Object.values(world.tables).map((it) => scan(world.client, it)));
  const before = await stored();
  world.clock.advance(110_000);

  const outcomes = new Map<string, string>();
  for (const message of fixture.messages) {
    const outcome = await house.handle(message).then(
      () => 'done',
      (error: Error) => error.message,
    );
    outcomes.set(message.queue, outcome);
  }
  expect(await stored()).toEqual(before);
  for (const [queue, outcome] of outcomes) {
    expect([queue, outcome]).toEqual([
      queue,
      'a later release has written this, in the form 2; this one knows 1',
    ]);
  }
  const ledger = ledgerClient(world, idOf('tenantId'));
  const money = { type: 'debit', accountId: idOf('a'), amount: '1', currency: 'EUR' };
  for (const answer of [
    await ledger.get(`/v1/accounts/${idOf('a')}`),
    await ledger.post('/v1/transactions', money),
    await ledger.post(`/v1/holds/${idOf('pending')}/capture`, {}),
  ]) {
    expect([answer.status, answer.body.code]).toEqual([500, 'internal']);
  }
  expect(await stored()).toEqual(before);
});

it('knows the delivery of an event that the previous release has begun', async () => {
  const house = new ReleaseHouse(await testWorld());
  await loadFixture(house.world, fixture);
  const id = deliveryId({ endpointId: idOf('endpoint'), eventId: idOf('failed') });
  const call = { tenantId: idOf('tenantId'), params: { id } };
  const { body } = await getDelivery.answer(call as unknown as Call<never>, house.all as never);
  expect(body).toMatchObject({ status: 'retrying', attempts: [{ status: 500 }] });
});
