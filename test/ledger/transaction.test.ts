import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../functions/ledger/account.ts';
import {
  decideTransaction,
  type Posting,
  reversedPostings,
  type TransactionDraft,
} from '../../functions/ledger/transaction.ts';
import { NOON_MS } from '../support/world.ts';

const account = (over: Partial<Account> = {}): Account => ({
  id: 'acc_a',
  tenantId: 'ten_1',
  currency: 'EUR',
  credits: 150n,
  debits: 50n,
  held: 0n,
  minBalance: 0n,
  maxBalance: null,
  mode: 'limited',
  seq: 7,
  lastLegMs: NOON_MS - 1,
  hash: 'h',
  status: 'active',
  createdAtMs: 0,
  ...over,
});

const FIRST: Posting = {
  sourceId: 'acc_a',
  destinationId: 'acc_b',
  amount: 60n,
  currency: 'EUR',
};

const transfer: TransactionDraft = {
  id: 'txn_1',
  tenantId: 'ten_1',
  type: 'transfer',
  postings: [FIRST],
};

const posting = (over: Partial<Posting>) => ({
  postings: [{ ...FIRST, ...over }],
});

const post = (source: Partial<Account>, over: Partial<TransactionDraft> = {}, nowMs = NOON_MS) => {
  const accounts = [account(source), account({ id: 'acc_b', credits: 0n, debits: 0n, seq: 0 })];
  const byId = new Map(accounts.map((it) => [it.id as string, it]));
  return decideTransaction({ ...transfer, ...over }, byId, nowMs).transaction;
};

describe('decideTransaction', () => {
  it('makes two legs that sum to zero and carry the balance after them', () => {
    const { legs, status } = post({});

    expect(status).toBe('posted');
    expect(legs.map((it) => it.amount)).toEqual([-60n, 60n]);
    expect(legs.map((it) => it.balanceAfter)).toEqual([40n, 60n]);
    expect(legs.map((it) => it.seq)).toEqual([8, 1]);
  });

  it('chains the hash of each account: any other history gives another head', () => {
    const [leg] = post({}).legs;
    const [other] = post({ hash: 'another' }).legs;

    expect(leg?.hash).toHaveLength(43);
    expect(other?.hash).not.toBe(leg?.hash);
  });

  // Both sides of each limit.
  it.each([
    { source: {}, amount: 100n, outcome: 'posted' },
    { source: {}, amount: 101n, outcome: 'insufficient_funds' },
    { source: { held: 30n }, amount: 70n, outcome: 'posted' },
    { source: { held: 30n }, amount: 71n, outcome: 'insufficient_funds' },
    { source: { minBalance: -10n }, amount: 110n, outcome: 'posted' },
    { source: { minBalance: -10n }, amount: 111n, outcome: 'insufficient_funds' },
    { source: { minBalance: null }, amount: 10n ** 18n, outcome: 'posted' },
    { source: { status: 'frozen' as const }, amount: 1n, outcome: 'account_frozen' },
    { source: { status: 'closed' as const }, amount: 1n, outcome: 'account_closed' },
    { source: { currency: 'USD' }, amount: 1n, outcome: 'currency_mismatch' },
  ])('answers $outcome when $source gives $amount', ({ source, amount, outcome }) => {
    expect(outcomeOf(() => post(source, posting({ amount })).status)).toBe(outcome);
  });

  it('refuses one account on both sides', () => {
    expect(outcomeOf(() => post({}, posting({ destinationId: 'acc_a' })).status)).toBe(
      'same_account',
    );
  });

  it('gives the world a leg without a balance, so that it cannot be hot', () => {
    const { legs } = post({}, { type: 'debit', ...posting({ destinationId: '@world' }) });

    expect(legs[1]).toEqual({ accountId: '@world', currency: 'EUR', amount: 60n });
  });

  it('is never dated before a leg that it follows, however slow this clock is', () => {
    expect(post({ lastLegMs: NOON_MS + 5_000 }).createdAtMs).toBe(NOON_MS + 5_001);
    expect(post({ lastLegMs: NOON_MS - 5_000 }).createdAtMs).toBe(NOON_MS);
  });
});

function outcomeOf(decide: () => string): string {
  try {
    return decide();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('any journal', () => {
  const IDS = ['@world', 'acc_a', 'acc_b', 'acc_c'];
  const books = new Map(
    IDS.slice(1).map((id) => [id, account({ id: id as 'acc_a', minBalance: null })]),
  );
  const postings = fc.array(
    fc.record({
      sides: fc.uniqueArray(fc.constantFrom(...IDS), { minLength: 2, maxLength: 2 }),
      amount: fc.bigInt({ min: 1n, max: 10n ** 18n }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const drawn = postings.map((all) =>
    all.map(({ sides: [sourceId = '', destinationId = ''], amount }) => {
      return { sourceId, destinationId, amount, currency: 'EUR' };
    }),
  );
  const decide = (all: readonly Posting[]) =>
    decideTransaction({ ...transfer, type: 'journal', postings: all }, books, NOON_MS);
  const amounts = (all: readonly Posting[], sign = 1n) =>
    decide(all)
      .transaction.legs.map((it) => [it.accountId, sign * it.amount] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));

  it('sums to zero, and has one leg for each account that it names', () => {
    fc.assert(
      fc.property(drawn, (all) => {
        const { legs } = decide(all).transaction;
        expect(legs.reduce((sum, it) => sum + it.amount, 0n)).toBe(0n);
        const named = new Set(all.flatMap((it) => [it.sourceId, it.destinationId]));
        expect(legs.map((it) => it.accountId).toSorted()).toEqual([...named].toSorted());
      }),
    );
  });

  it('moves the stored accounts by its legs', () => {
    fc.assert(
      fc.property(drawn, (all) => {
        const { transaction, books: after } = decide(all);
        for (const { accountId, amount, balanceAfter } of transaction.legs) {
          const [was, is] = [books.get(accountId), after.get(accountId)];
          if (!was || !is) continue;
          expect(is.credits - is.debits).toBe(was.credits - was.debits + amount);
          expect(balanceAfter).toBe(is.credits - is.debits);
        }
      }),
    );
  });

  it('is taken back exactly by its reversal', () => {
    fc.assert(
      fc.property(drawn, (all) => {
        expect(amounts(reversedPostings({ postings: all }))).toEqual(amounts(all, -1n));
      }),
    );
  });
});
