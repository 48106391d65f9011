import { DAY_MS } from '../../../functions/shared/units.ts';
import { type Body, idOf, type Walk } from './walk.ts';

/** The ledger and what it refuses. Answers an account with money. */
export async function walkLedger(walk: Walk): Promise<Body> {
  const currency = 'EUR';
  const alice = await walk.call('createAccount', {
    body: { currency, name: 'Alice', externalId: 'customer-17', metadata: { plan: 'gold' } },
  });
  const bob = await walk.setUp('createAccount', { body: { currency, name: 'Bob' } });
  const transfer = {
    type: 'transfer',
    sourceAccountId: String(alice.id),
    destinationAccountId: String(bob.id),
    amount: '2500',
    currency,
    description: 'Dinner',
    reference: 'order-1042',
  };
  await walk.refused('insufficient_funds', 'createTransaction', { body: transfer });
  const credit = { type: 'credit', accountId: String(alice.id), amount: '10000', currency };
  await walk.setUp('createTransaction', { body: credit });
  const posted = await walk.call('createTransaction', { body: transfer });
  await walk.call('getTransaction', { params: idOf(posted) });
  await walk.call('createBatch', {
    body: { atomic: true, transactions: [credit, { ...transfer, reference: 'order-1043' }] },
  });
  await walkReversal(walk, posted);
  await walkHolds(walk, alice, bob);
  const { version } = await walk.call('getAccount', { params: idOf(alice) });
  await walk.call('updateAccount', {
    params: idOf(alice),
    body: { metadata: { plan: 'platinum' } },
  });
  await walk.call('listAccounts', { query: { limit: '2' } });
  await walk.call('listEntries', {
    params: idOf(alice),
    query: { limit: '3' },
    // The statement follows the account.
    until: ({ upToSeq }) => Number(upToSeq) === Number(version),
  });
  await walk.call('listTransactions', {
    query: { reference: 'order-1042' },
    until: ({ data }) => Number(data?.length) > 0,
  });
  await walk.refused('currency_mismatch', 'createTransaction', {
    body: { ...transfer, currency: 'USD' },
  });
  await walk.refused('same_account', 'createTransaction', {
    body: { ...transfer, destinationAccountId: String(alice.id) },
  });
  await walk.refused('precondition_failed', 'createTransaction', {
    body: { ...transfer, preconditions: [{ accountId: String(alice.id), version: 1 }] },
  });
  await walk.refused('conflict', 'createAccount', {
    body: { currency, externalId: 'customer-17' },
  });
  return alice;
}

async function walkReversal(walk: Walk, posted: Body): Promise<void> {
  const params = idOf(posted);
  await walk.call('createReversal', { params, body: { description: 'Paid twice' } });
  await walk.refused('already_reversed', 'createReversal', { params, body: {} });
}

async function walkHolds(walk: Walk, from: Body, to: Body): Promise<void> {
  const body = {
    accountId: String(from.id),
    destinationAccountId: String(to.id),
    amount: '1500',
    currency: 'EUR',
    expiresAt: new Date(Date.now() + 7 * DAY_MS).toISOString(),
  };
  const hold = await walk.call('createHold', { body });
  await walk.call('getHold', { params: idOf(hold) });
  await walk.call('captureHold', { params: idOf(hold), body: { amount: '1200' } });
  const other = await walk.setUp('createHold', { body });
  await walk.call('voidHold', { params: idOf(other) });
  await walk.refused('hold_resolved', 'voidHold', { params: idOf(hold) });
  await walk.call('listHolds', {
    query: { status: 'captured' },
    until: ({ data }) => Number(data?.length) === 1,
  });
}
