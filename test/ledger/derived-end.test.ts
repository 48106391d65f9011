import { beforeAll, expect, it } from 'vitest';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { ledgerClient } from './ledger-client.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

it('never closes a derived account: its balance is not known for sure', async () => {
  const ledger = ledgerClient(world, newTenant(world));
  const fees = await ledger.open({ mode: 'derived' });

  const refused = await ledger.patch(`/v1/accounts/${fees}`, { status: 'closed' });
  const frozen = await ledger.patch(`/v1/accounts/${fees}`, { status: 'frozen' });

  expect([refused.status, refused.body.code]).toEqual([422, 'not_available']);
  expect([frozen.status, frozen.body.status]).toEqual([200, 'frozen']);
});

it('names the transaction of an atomic batch whose account is not there', async () => {
  const ledger = ledgerClient(world, newTenant(world));
  const [here, nowhere] = [await ledger.open(), world.ids.next('acc')];
  const credit = (accountId: string) => ({
    ...{ type: 'credit', amount: '1', currency: 'EUR', accountId },
  });
  const transactions = [credit(here), credit(nowhere)];

  const { body } = await ledger.post('/v1/transactions/batch', { atomic: true, transactions });

  expect(body.code).toBe('not_found');
  expect(body.errors?.map((it) => it.pointer)).toEqual(['/transactions/1']);
});
