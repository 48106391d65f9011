import { beforeAll, expect, it } from 'vitest';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { ledgerClient, told } from './ledger-client.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it('lets each event tell what led to it: the trace, and how many webhooks in a row', async () => {
  const headers = { 'webhook-hops': '2', traceparent: TRACE };
  const ledger = ledgerClient(world, newTenant(world), headers);
  const money = { amount: '10', currency: 'EUR' };
  const [a, b] = [await ledger.open({}, '1000'), await ledger.open()];
  const transfer = { type: 'transfer', ...money, sourceAccountId: a, destinationAccountId: b };
  const asked = { ...money, accountId: a, destinationAccountId: b };
  const [one, two] = [await ledger.post('/v1/holds', asked), await ledger.post('/v1/holds', asked)];
  const expiresAt = new Date(world.clock.nowMs() + 60_000).toISOString();
  const three = await ledger.post('/v1/holds', { ...asked, expiresAt });
  const batch = (atomic: boolean, transaction: object) =>
    ledger.post('/v1/transactions/batch', { atomic, transactions: [transaction] });
  const posted = await ledger.post('/v1/transactions', transfer);
  const answers = [
    ...[one, two, three, posted],
    await ledger.post(`/v1/holds/${one.body.id}/capture`, {}),
    await ledger.post(`/v1/holds/${two.body.id}/void`),
    await ledger.post(`/v1/transactions/${posted.body.id}/reversals`, {}),
    await batch(true, transfer),
    await batch(false, { ...transfer, idempotencyKey: 'part' }),
    await ledger.patch(`/v1/accounts/${a}`, { name: 'renamed' }),
  ];

  world.clock.advance(60_000);
  const { pk } = journalKey(ledger.tenantId, three.body.id);
  await expireHold({ pk, dueMs: world.clock.nowMs() }, world);

  expect(answers.filter((it) => it.status >= 300).map(told)).toEqual([]);
  const { outbox } = await takeSnapshot(world.client, world.tables);
  const events = outbox.filter((it) => it.tenant === ledger.tenantId);
  const kinds = new Set(events.map((it) => [it.type, it.hops, it.traceparent].join(' ')));
  const types = ['account.created', 'account.updated', 'hold.captured', 'hold.created'];
  expect([...kinds].toSorted()).toEqual([
    ...types.map((type) => `${type} 2 ${TRACE}`),
    // No request has led to it at that time, but what made the hold has.
    'hold.expired 2 ',
    ...['hold.voided', 'transaction.posted'].map((type) => `${type} 2 ${TRACE}`),
  ]);
  expect(events).toHaveLength(14);
});
