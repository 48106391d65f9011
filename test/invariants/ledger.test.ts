import { beforeAll, describe, expect, it } from 'vitest';
import { insertAccount } from '../../functions/ledger/account.store.ts';
import { type Account, openAccount } from '../../functions/ledger/account.ts';
import { postTransaction } from '../../functions/ledger/post-transaction.ts';
import type { Item } from '../../functions/shared/world.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { type Snapshot, takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, testWorld } from '../support/world.ts';

/** A true history of two accounts, to plant one fault in at a time. */
let history: Snapshot;
beforeAll(async () => {
  const world = await testWorld();
  const tenantId = newTenant(world);
  const account = (id: `acc_${string}`): Account =>
    openAccount(
      { id, tenantId, currency: 'EUR', mode: 'limited', minBalance: 0n, maxBalance: null },
      world.clock.nowMs(),
    );
  await world.db.commit([
    ...insertAccount(account('acc_a'), {}),
    ...insertAccount(account('acc_b'), {}),
  ]);
  const post = (type: 'credit' | 'transfer', sourceId: string, destinationId: string) =>
    postTransaction(world, {
      id: world.ids.next('txn'),
      tenantId,
      type,
      postings: [{ sourceId, destinationId, amount: 10n, currency: 'EUR' }],
    });
  await post('credit', '@world', 'acc_a');
  await post('transfer', 'acc_a', 'acc_b');
  history = await takeSnapshot(world.client, world.tables);
});

describe('checkLedger', () => {
  it('finds nothing in a true history', () => {
    expect(checkLedger(history)).toEqual([]);
  });

  it.each<[string, string, (snapshot: Snapshot) => Snapshot]>([
    ['a leg of another amount', 'L1', (it) => editTransfer(it, { amount: 11 })],
    ['a balance after that does not follow', 'L3', (it) => editTransfer(it, { bal: 5 })],
    ['a gap in the sequence', 'L3', (it) => editTransfer(it, { seq: 7 })],
    ['a rewritten hash', 'L3', (it) => editTransfer(it, { hash: 'x' })],
    ['a stored balance of another amount', 'L3', (it) => editAccount(it, { cr: 999 })],
    ['a stored seq that is ahead', 'L3', (it) => editAccount(it, { seq: 9 })],
    ['a balance that was below the minimum', 'L2', (it) => editAccount(it, { min: 5 })],
    ['an event that is missing', 'O1', (it) => ({ ...it, outbox: it.outbox.slice(1) })],
    ['an event that was invented', 'O1', (it) => ({ ...it, outbox: [...it.outbox, INVENTED] })],
    [
      'a transaction that vanished',
      'L3',
      (it) => ({ ...it, ledger: it.ledger.filter((item) => item.type !== 'transfer') }),
    ],
  ])('names %s as %s', (_what, invariant, plant) => {
    expect(checkLedger(plant(history)).join('\n')).toContain(invariant);
  });
});

const INVENTED: Item = { id: 'evt_0', type: 'transaction.posted', data: '{"id":"txn_0"}' };

/** Changes the first leg of the transfer. */
function editTransfer(snapshot: Snapshot, over: Item): Snapshot {
  const ledger = snapshot.ledger.map((item) => {
    if (item.type !== 'transfer') return item;
    const [first, second] = item.legs as Item[];
    return { ...item, legs: [{ ...first, ...over }, second] };
  });
  return { ...snapshot, ledger };
}

function editAccount(snapshot: Snapshot, over: Item): Snapshot {
  const ledger = snapshot.ledger.map((item) => (item.id === 'acc_a' ? { ...item, ...over } : item));
  return { ...snapshot, ledger };
}
