import { beforeAll, beforeEach, expect, it } from 'vitest';
import { projectEntries } from '../../functions/ledger/project-entries.ts';
import type { Item } from '../../functions/shared/world.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(() => {
  ledger = ledgerClient(world, newTenant(world));
});

async function eventsOfTenant(): Promise<Item[]> {
  const { outbox } = await takeSnapshot(world.client, world.tables);
  return outbox.filter((it) => it.tenant === ledger.tenantId);
}

it('tells of the capture by what the capture says, on the statement too', async () => {
  const [a, b] = [await ledger.open({}, '100'), await ledger.open()];
  const asked = { accountId: a, amount: '10', currency: 'EUR', reference: 'order-1' };
  const hold = await ledger.post('/v1/holds', asked);
  const notes = { reference: 'invoice-7', description: 'the rest', metadata: { k: 'v' } };
  const capture = { destinationAccountId: b, ...notes };
  const { body } = await ledger.post(`/v1/holds/${hold.body.id}/capture`, capture);

  const events = await eventsOfTenant();
  const told = events.find((it) => it.type === 'hold.captured');
  const data = JSON.parse(String(told?.data));
  expect(data).toMatchObject({ id: hold.body.id, reference: 'order-1' });
  expect(data.transaction).toMatchObject({ id: body.transaction.id, type: 'capture', ...notes });

  const records = events
    .filter((it) => /^(transaction|hold)\./.test(String(it.type)))
    .map((item, index) => ({ item, sequenceNumber: String(index) }));
  expect(await projectEntries(records, world)).toEqual([]);
  const entries = await ledger.get(`/v1/accounts/${b}/entries`);
  expect(entries.body.data[0]).toMatchObject({ type: 'capture', reference: 'invoice-7' });
});

it('stays below 64 KB for the largest journal, whose postings it leaves out then', async () => {
  const currency = 'ABCDEFGHIJKLMNOPQ/18';
  const open = (terms: object) => ledger.open({ currency, ...terms });
  const limited = await Promise.all(Array.from({ length: 97 }, () => open({ minBalance: null })));
  const derived = await Promise.all(Array.from({ length: 100 }, () => open({ mode: 'derived' })));
  const postings = derived.map((destinationAccountId, index) => ({
    ...{ destinationAccountId, amount: '1000000000000000000', currency },
    sourceAccountId: limited[index] ?? derived[index - 1],
  }));
  const metadata = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`key-${index}`, 'x'.repeat(500)]),
  );
  const journal = { type: 'journal', postings, metadata };
  const { status, body } = await ledger.post('/v1/transactions', journal);
  expect([status, body.postings]).toMatchObject([201, { length: 100 }]);

  const told = (await eventsOfTenant()).find((it) => it.type === 'transaction.posted');
  expect(Buffer.byteLength(String(told?.data))).toBeLessThanOrEqual(64 * 1_024);
  expect(JSON.parse(String(told?.data)).entries).toHaveLength(197);
});
