import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toHold } from '../../functions/ledger/hold.store.ts';
import { rebuildStatements } from '../../functions/ledger/rebuild-statements.ts';
import { lineKey } from '../../functions/ledger/statement.store.ts';
import { listShardedLines } from '../../functions/ledger/statement-list.store.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import type { Db, Item, Key } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { freshLedger, type LedgerClient, ledgerClient } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let [a, b] = ['', ''];
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ({ ledger, a, b } = await freshLedger(world, '1000'));
});

/**
 * A commit shows in one of its items after the other: the first so many reads find this item as it
 * was before, `was`, and all others as they are.
 */
function laggingAt(isLate: (key: Key) => boolean, was: Item | undefined, times = 1): Db {
  let left = times;
  const shown = (items: readonly (Item | undefined)[]) => {
    if (left === 0 || !items.some((it) => it && isLate(keyOf(it)))) return items;
    left -= 1;
    return items.map((it) => (it && isLate(keyOf(it)) ? was : it));
  };
  return {
    ...world.db,
    get: async (table, key) => shown([await world.db.get(table, key)])[0],
    getAll: async (keys) => [...shown(await world.db.getAll(keys))],
    async query(query) {
      const page = await world.db.query(query);
      return { ...page, items: shown(page.items).filter((it) => it !== undefined) };
    },
  };
}

/** The item is as it was, `was`, for less than a commit takes at most. */
function laggingAwhile(late: Key, was: Item | undefined): Db {
  const untilMs = world.clock.nowMs() + 30;
  const isLate = ({ pk, sk }: Key) =>
    pk === late.pk && sk === late.sk && world.clock.nowMs() < untilMs;
  return laggingAt(isLate, was, 100);
}

const keyOf = ({ pk, sk }: Item): Key => ({ pk: String(pk), sk: String(sk) });
const clientOn = (db: Db) => ledgerClient({ ...world, db }, ledger.tenantId);
const money = { amount: '10', currency: 'EUR' };

describe('a copy of a request, before the first one shows in all of its items', () => {
  it('finds the account whose details do not show yet', async () => {
    const body = { currency: 'EUR', name: 'mine' };
    const first = await ledger.post('/v1/accounts', body, 'acc');
    const isDetails = ({ pk, sk }: Key) => pk.endsWith(first.body.id) && sk === 'M';
    const again = await clientOn(laggingAt(isDetails, undefined)).post('/v1/accounts', body, 'acc');

    expect(again).toMatchObject({ status: 201, replayed: true, body: first.body });
  });

  it('is refused as busy while they do not', async () => {
    const body = { currency: 'EUR' };
    const { body: made } = await ledger.post('/v1/accounts', body, 'acc');
    const isDetails = ({ pk, sk }: Key) => pk.endsWith(made.id) && sk === 'M';
    const db = laggingAt(isDetails, undefined, 100);

    expect(await clientOn(db).post('/v1/accounts', body, 'acc')).toMatchObject({
      ...{ status: 503, body: { code: 'busy', retryable: true } },
    });
  });

  it('is answered with all transactions of the batch', async () => {
    const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: b, ...money };
    const body = { atomic: true, transactions: [transfer, transfer, transfer] };
    const first = await ledger.post('/v1/transactions/batch', body, 'batch');
    const second = journalKey(ledger.tenantId, String(first.body.transactions[1]?.id));
    const db = laggingAt(({ pk }) => pk === second.pk, undefined);
    const again = await clientOn(db).post('/v1/transactions/batch', body, 'batch');

    expect(again).toMatchObject({ status: 201, replayed: true });
    expect(again.body).toEqual(first.body);
  });

  it.each([
    ['capture', { destinationAccountId: 'b' }],
    ['void', undefined],
  ])('shows the hold as its %s has left it', async (action, terms) => {
    const { body: hold } = await ledger.post('/v1/holds', { accountId: a, ...money });
    const key = journalKey(ledger.tenantId, hold.id);
    const pending = await world.db.get('ledger', key);
    const body = terms && { destinationAccountId: b };
    const first = await ledger.post(`/v1/holds/${hold.id}/${action}`, body, 'end');
    const db = laggingAt(({ pk }) => pk === key.pk, pending, 2);
    const again = await clientOn(db).post(`/v1/holds/${hold.id}/${action}`, body, 'end');

    expect(again).toMatchObject({ status: first.status, replayed: true });
    expect(again.body).toEqual(first.body);
  });
});

describe('another request, before the one that came first shows in all of its items', () => {
  it('is told that the hold is resolved, and not that its room is taken', async () => {
    const full = await ledger.open({ maxBalance: '15' });
    const { body: hold } = await ledger.post('/v1/holds', { accountId: a, ...money });
    const key = journalKey(ledger.tenantId, hold.id);
    const pending = await world.db.get('ledger', key);
    const capture = [`/v1/holds/${hold.id}/capture`, { destinationAccountId: full }] as const;
    await ledger.post(...capture, 'first');
    const other = clientOn(laggingAwhile(key, pending));

    expect((await other.post(...capture, 'other')).body.code).toBe('hold_resolved');
    expect((await ledger.post(...capture, 'other')).body.code).toBe('hold_resolved');
  });

  it('is told that it is reversed, and not that the money is gone', async () => {
    const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: b, ...money };
    const { body } = await ledger.post('/v1/transactions', transfer);
    const reverse = [`/v1/transactions/${body.id}/reversals`, {}] as const;
    await ledger.post(...reverse, 'first');
    const marker = { ...journalKey(ledger.tenantId, body.id), sk: 'V' };
    const other = clientOn(laggingAwhile(marker, undefined));

    expect((await other.post(...reverse, 'other')).body.code).toBe('already_reversed');
    expect((await ledger.post(...reverse, 'other')).body.code).toBe('already_reversed');
  });
});

it('rebuilds the line of a capture whose hold does not show it yet', async () => {
  const fees = await ledger.open({ mode: 'derived' });
  const { body: hold } = await ledger.post('/v1/holds', { accountId: a, ...money });
  const key = journalKey(ledger.tenantId, hold.id);
  const pending = await world.db.get('ledger', key);
  expect(toHold(pending ?? {}).status).toBe('pending');
  await ledger.post(`/v1/holds/${hold.id}/capture`, { destinationAccountId: fees });
  await rebuildStatements(world, ledger.tenantId, { dryRun: false });
  const db = laggingAt(({ pk }) => pk === key.pk, pending, 1);
  const seen = await rebuildStatements({ ...world, db }, ledger.tenantId, { dryRun: false });

  expect(seen).toMatchObject({ missing: 0, different: 0, wrongTotals: 0 });
  expect((await ledger.account(fees)).balance).toBe('10');
});

it('leaves a total alone whose last line does not show yet', async () => {
  const fees = await ledger.open({ mode: 'derived' });
  const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: fees, ...money };
  await ledger.post('/v1/transactions', transfer);
  await rebuildStatements(world, ledger.tenantId, { dryRun: false });
  const statement = { tenantId: ledger.tenantId, accountId: fees, currency: 'EUR' };
  const [line] = await listShardedLines(world.db, statement, { limit: 1 });
  if (!line) throw new Error('it has a line');
  const db = laggingAwhile(lineKey(line), undefined);
  const seen = await rebuildStatements({ ...world, db }, ledger.tenantId, { dryRun: false });

  expect(seen.wrongTotals).toBe(0);
  expect((await ledger.account(fees)).balance).toBe('10');
});
