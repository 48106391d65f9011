import { beforeAll, describe, expect, it } from 'vitest';
import { insertAccount } from '../../functions/ledger/account.store.ts';
import { type Account, openAccount } from '../../functions/ledger/account.ts';
import { postTransaction } from '../../functions/ledger/post-transaction.ts';
import type { Item } from '../../functions/shared/world.ts';
import { ledgerClient } from '../ledger/ledger-client.ts';
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

/** A history with everything that a ledger does, in two currencies. */
describe('checkLedger on holds, reversals and journals', () => {
  let whole: Snapshot;
  let made: Record<'captured' | 'voided' | 'pending' | 'reversed' | 'capture', string>;
  beforeAll(async () => {
    const world = await testWorld();
    const ledger = ledgerClient(world, newTenant(world));
    const [a, b] = [await ledger.open({}, '1000'), await ledger.open({ maxBalance: '900' })];
    const usd = await ledger.open({ currency: 'USD' }, '500');
    const hold = async () => {
      const body = { accountId: a, amount: '50', currency: 'EUR', destinationAccountId: b };
      return (await ledger.post('/v1/holds', body)).body.id;
    };
    const [captured, voided, pending] = [await hold(), await hold(), await hold()];
    const { body } = await ledger.post(`/v1/holds/${captured}/capture`, { amount: '40' });
    await ledger.post(`/v1/holds/${voided}/void`);
    const { body: journal } = await ledger.post('/v1/transactions', {
      type: 'journal',
      postings: [
        { sourceAccountId: a, destinationAccountId: '@world', amount: '10', currency: 'EUR' },
        { sourceAccountId: usd, destinationAccountId: '@world', amount: '9', currency: 'USD' },
      ],
    });
    await ledger.post(`/v1/transactions/${journal.id}/reversals`, {});
    made = { captured, voided, pending, reversed: journal.id, capture: body.transaction.id };
    whole = await takeSnapshot(world.client, world.tables);
  });

  /** Changes the items that these are, or takes them away. */
  const change = (isIt: (it: Item) => boolean, over?: (it: Item) => Item): Snapshot => {
    if (!whole.ledger.some(isIt)) throw new Error('there is no such item');
    const ledger = whole.ledger.flatMap((it) => (isIt(it) ? (over ? [over(it)] : []) : [it]));
    return { ...whole, ledger };
  };
  const add = (item: Item): Snapshot => ({ ...whole, ledger: [...whole.ledger, item] });
  const of = (id: string) => {
    const item = whole.ledger.find((it) => it.id === id);
    if (!item) throw new Error(`there is no ${id}`);
    return item;
  };
  const legsOf = (item: Item) => item.legs as Item[];
  const isOf = (type: string) => (it: Item) => it.type === type && it.status === 'posted';
  const withLeg = (item: Item, over: Item): Item => {
    const [first, ...rest] = legsOf(item);
    return { ...item, legs: [{ ...first, ...over }, ...rest] };
  };

  it('finds nothing in a true history', () => {
    expect(checkLedger(whole)).toEqual([]);
  });

  it.each<[string, string, () => Snapshot]>([
    [
      'a currency that does not sum to zero while all of them together do',
      'L1',
      () =>
        change(isOf('journal'), (it) => {
          const legs = legsOf(it).map((leg) =>
            leg.acc === '@world' ? { ...leg, amount: leg.ccy === 'EUR' ? 9 : 10 } : leg,
          );
          return { ...it, legs };
        }),
    ],
    [
      'a leg in the currency of another account',
      'L1',
      () => change(isOf('journal'), (it) => withLeg(it, { ccy: 'USD' })),
    ],
    [
      'a balance above its maximum',
      'L2',
      () =>
        change(
          (it) => it.max !== undefined && it.sk === '#',
          (it) => ({ ...it, max: 39 }),
        ),
    ],
    [
      'a hold that took more than was there',
      'L2',
      () =>
        change(
          (it) => it.ccy === 'EUR' && it.cr === 1010,
          (it) => ({ ...it, min: 900 }),
        ),
    ],
    [
      'an account that says that less is held',
      'L5',
      () =>
        change(
          (it) => it.held === 50 && it.sk === '#',
          (it) => ({ ...it, held: 0 }),
        ),
    ],
    [
      'a leg that says that less is held',
      'L3',
      () =>
        change(
          (it) => it.id === made.pending,
          (it) => ({ ...it, leg: { ...(it.leg as Item), held: 0 } }),
        ),
    ],
    ['a hold that is lost', 'L3', () => change((it) => it.id === made.pending)],
    [
      'a hold that is captured without a capture',
      'L5',
      () =>
        change(
          (it) => it.id === made.pending,
          (it) => ({ ...it, status: 'captured' }),
        ),
    ],
    [
      'a hold that is voided without a record',
      'L5',
      () =>
        change(
          (it) => it.id === made.pending,
          (it) => ({ ...it, status: 'voided' }),
        ),
    ],
    [
      'a captured hold that shows as pending',
      'L5',
      () =>
        change(
          (it) => it.id === made.captured,
          (it) => ({ ...it, status: 'pending' }),
        ),
    ],
    [
      'a hold that was captured and let go',
      'L5',
      () =>
        change(
          (it) => it.hold === made.voided,
          (it) => ({ ...it, hold: made.captured }),
        ),
    ],
    ['a hold that was captured twice', 'L5', () => add({ ...of(made.capture), id: 'txn_again' })],
    [
      'more captured than was held',
      'L5',
      () =>
        change(
          (it) => it.id === made.captured,
          (it) => ({ ...it, amount: 39 }),
        ),
    ],
    [
      'another amount captured than the hold says',
      'L5',
      () =>
        change(
          (it) => it.id === made.captured,
          (it) => ({ ...it, captured: 41 }),
        ),
    ],
    [
      'a reversal that is not exactly negative',
      'L5',
      () => change(isOf('reversal'), (it) => withLeg(it, { amount: 11 })),
    ],
    [
      'a second reversal',
      'L5',
      () => {
        const first = whole.ledger.find(isOf('reversal'));
        return add({ ...first, id: 'txn_again' });
      },
    ],
    ['a reversal without its marker', 'L5', () => change((it) => it.sk === 'V')],
    ['a reversal of nothing', 'L5', () => change((it) => it.id === made.reversed)],
    ['a void without its record', 'L5', () => change((it) => it.hold === made.voided)],
    [
      'an event of a void that is missing',
      'O1',
      () => ({ ...whole, outbox: whole.outbox.filter((it) => it.type !== 'hold.voided') }),
    ],
    [
      'two events of one capture',
      'O1',
      () => {
        const told = whole.outbox.find((it) => it.type === 'hold.captured');
        return { ...whole, outbox: [...whole.outbox, { ...told, id: 'evt_again' }] };
      },
    ],
  ])('names %s as %s', (_what, invariant, plant) => {
    expect(checkLedger(plant()).join('\n')).toContain(invariant);
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
