import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Account } from '../../functions/ledger/account.ts';
import { findBalanceAt } from '../../functions/ledger/find-balance.ts';
import { findDerivedBalance } from '../../functions/ledger/find-derived-balance.ts';
import { listTransactionPlaces } from '../../functions/ledger/list-account-transactions.ts';
import { projectEntries } from '../../functions/ledger/project-entries.ts';
import {
  readShardedStatement,
  readStatement,
  type StatementPage,
  type StatementRange,
} from '../../functions/ledger/read-statement.ts';
import {
  type StatementLine,
  statementOf,
  statementOfWorld,
} from '../../functions/ledger/statement.ts';
import { NOON_MS, newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type History, historyOf, recordsOf, type Step, THE_WORLD } from './statement-history.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

type Past = History & { readonly tenantId: string };

function pastOf(steps: readonly Step[]): Past {
  const tenantId = newTenant(world);
  return { tenantId, ...historyOf({ tenantId, ids: world.ids, startMs: NOON_MS }, steps) };
}

/** Credits of the first account, 10 ms apart. */
const credits = (count: number): Past =>
  pastOf(
    Array.from({ length: count }, () => ({ afterMs: 10, amount: 5n, from: THE_WORLD, to: 0 })),
  );

/** All of it but the events in these places. */
async function project({ events }: Past, ...without: readonly number[]): Promise<void> {
  const records = recordsOf(events).filter((_, index) => !without.includes(index));
  await projectEntries(records, world);
}

function firstOf({ accounts }: Past): Account {
  const [account] = accounts;
  if (!account) throw new Error('a history has accounts');
  return account;
}

const seqs = ({ lines }: StatementPage) => lines.map((it) => it.standing?.seq);
const BUSY = { code: 'busy', facts: { retryAfterSeconds: 1 } };

/** All pages, one after the other. */
async function readAll(
  read: (range: StatementRange) => Promise<StatementPage>,
  range: StatementRange,
): Promise<StatementLine[]> {
  const lines: StatementLine[] = [];
  let after: StatementRange['after'];
  do {
    const page = await read({ ...range, after });
    lines.push(...page.lines);
    after = page.next;
  } while (after);
  return lines;
}

describe('the statement of a limited account', () => {
  it('comes newest first, page by page, and says how far it has come', async () => {
    const past = credits(7);
    await project(past);
    const account = firstOf(past);

    const first = await readStatement(world, account, { limit: 3 });
    const second = await readStatement(world, account, { limit: 3, after: first.next });
    const third = await readStatement(world, account, { limit: 3, after: second.next });

    expect([first, second, third].map(seqs)).toEqual([[7, 6, 5], [4, 3, 2], [1]]);
    expect([first, second, third].map((it) => it.upToSeq)).toEqual([7, 7, 7]);
    expect(third.next).toBeUndefined();
    expect(first.lines[0]).toMatchObject({ amount: 5n, standing: { balanceAfter: 35n } });
  });

  it('ends exactly where a page does', async () => {
    const past = credits(6);
    await project(past);
    const account = firstOf(past);

    const first = await readStatement(world, account, { limit: 3 });
    const second = await readStatement(world, account, { limit: 3, after: first.next });

    expect([seqs(second), second.next]).toEqual([[3, 2, 1], undefined]);
  });

  it.each<[string, number[], number[], number]>([
    ['the newest', [6], [6, 5, 4], 6],
    ['one in the page', [5], [5, 4, 3], 5],
    ['one below the page', [3], [3, 2, 1], 3],
    ['two of them', [5, 2], [2, 1], 2],
    ['the first of all, which the page does not reach', [0], [7, 6, 5], 7],
    ['all', [0, 1, 2, 3, 4, 5, 6], [], 0],
  ])('shows nothing above an entry that is missing: %s', async (_which, without, shown, upTo) => {
    const past = credits(7);
    await project(past, ...without);
    const account = firstOf(past);

    const page = await readStatement(world, account, { limit: 3 });

    expect([seqs(page), page.upToSeq]).toEqual([shown, upTo]);
    await project(past);
    expect(seqs(await readStatement(world, account, { limit: 3 }))).toEqual([7, 6, 5]);
  });

  it('shows nothing of a short account whose first entry is missing', async () => {
    const past = credits(3);
    await project(past, 0);

    expect(await readStatement(world, firstOf(past), { limit: 3 })).toEqual({
      lines: [],
      upToSeq: 0,
    });
  });

  it('refuses the page in which a gap opens below what was shown', async () => {
    const past = credits(9);
    await project(past, 3);
    const account = firstOf(past);
    const first = await readStatement(world, account, { limit: 3 });
    expect(seqs(first)).toEqual([9, 8, 7]);

    const second = readStatement(world, account, { limit: 3, after: first.next });

    await expect(second).rejects.toMatchObject(BUSY);
    await project(past);
    const again = await readStatement(world, account, { limit: 3, after: first.next });
    expect(seqs(again)).toEqual([6, 5, 4]);
  });

  it('takes `from` with it and leaves `to` out', async () => {
    const past = credits(7);
    await project(past);
    const period = { fromMs: NOON_MS + 20, toMs: NOON_MS + 50 };

    const lines = await readAll((it) => readStatement(world, firstOf(past), it), {
      ...period,
      limit: 2,
    });

    expect(lines.map((it) => it.atMs - NOON_MS)).toEqual([40, 30, 20]);
  });

  it.each([
    ['inside', 3],
    ['right before its end', 4],
    ['right after its end', 5],
  ])('refuses a period that is over while an entry is missing %s', async (_where, missing) => {
    const past = credits(8);
    await project(past, missing);
    // The entries 3, 4 and 5 by their places 2, 3 and 4; what is next tells that none is missing.
    const period = { fromMs: NOON_MS + 30, toMs: NOON_MS + 51, limit: 10 };

    const page = readStatement(world, firstOf(past), period);

    await expect(page).rejects.toMatchObject(BUSY);
    await project(past);
    expect(seqs(await readStatement(world, firstOf(past), period))).toEqual([5, 4, 3]);
  });

  it('refuses a period that is over while no entry after it has come', async () => {
    const past = credits(5);
    await project(past, 3, 4);

    const page = readStatement(world, firstOf(past), { toMs: NOON_MS + 31, limit: 10 });

    await expect(page).rejects.toMatchObject(BUSY);
    await project(past, 4);
    const whole = await readStatement(world, firstOf(past), { toMs: NOON_MS + 31, limit: 10 });
    expect(seqs(whole)).toEqual([3, 2, 1]);
  });

  it('knows the entry before a period, so that a missing one at its beginning shows', async () => {
    const past = credits(6);
    await project(past, 2);

    const page = readStatement(world, firstOf(past), {
      fromMs: NOON_MS + 30,
      toMs: NOON_MS + 51,
      limit: 10,
    });

    await expect(page).rejects.toMatchObject(BUSY);
  });

  it.each([
    ['before all', -5_000, 0, []],
    ['after all', NOON_MS + 1_000, NOON_MS * 100, []],
    ['everything', -5_000, NOON_MS * 100, [2, 1]],
    ['an empty one', NOON_MS + 20, NOON_MS + 20, []],
    ['a reversed one', NOON_MS + 20, NOON_MS + 10, []],
  ])('answers a period %s', async (_what, fromMs, toMs, expected) => {
    const past = credits(2);
    await project(past);
    const page = await readStatement(world, firstOf(past), { fromMs, toMs, limit: 5 });
    expect(seqs(page)).toEqual(expected);
  });

  it('costs two read units for a page of 25', async () => {
    const past = credits(40);
    await project(past);
    world.takeUnits();
    await readStatement(world, firstOf(past), { limit: 25 });
    expect(world.takeUnits()).toBe(2);
  });
});

describe('a derived account', () => {
  it('costs a unit per shard for its balance, and for a page of 25', async () => {
    const past = credits(100);
    await project(past);
    const worldEur = statementOfWorld(past.tenantId, 'EUR');

    world.takeUnits();
    expect(await findDerivedBalance(world, worldEur)).toBe(-500n);
    expect(world.takeUnits()).toBe(16);
    const { lines } = await readShardedStatement(world, worldEur, { limit: 25 });
    expect(lines).toHaveLength(25);
    expect(world.takeUnits()).toBe(16);
  });
});

describe('the balance at a time', () => {
  it('costs two read units, and none at or after the last entry', async () => {
    const past = credits(4);
    await project(past);
    const account = firstOf(past);
    world.clock.set(NOON_MS + 1_000);

    world.takeUnits();
    await findBalanceAt(world, account, account.lastLegMs);
    expect(world.takeUnits()).toBe(0);
    await findBalanceAt(world, account, account.lastLegMs - 1);
    expect(world.takeUnits()).toBe(2);
  });

  it.each([
    ['the entry itself', 2],
    ['the one after it', 3],
  ])('is refused while %s is missing', async (_which, missing) => {
    const past = credits(6);
    await project(past, missing);
    world.clock.set(NOON_MS + 1_000);

    const balance = findBalanceAt(world, firstOf(past), NOON_MS + 35);

    await expect(balance).rejects.toMatchObject(BUSY);
    await project(past);
    expect(await findBalanceAt(world, firstOf(past), NOON_MS + 35)).toMatchObject({
      balance: 15n,
      version: 3,
    });
  });

  it('knows from the account alone that the newest entry is the next one', async () => {
    const past = credits(3);
    await project(past, 2);
    world.clock.set(NOON_MS + 1_000);

    const balance = await findBalanceAt(world, firstOf(past), NOON_MS + 29);

    expect(balance).toEqual({ balance: 10n, available: 10n, held: 0n, version: 2 });
  });

  it('is refused for the future, before the account, and for a derived account', async () => {
    const past = credits(1);
    const account = firstOf(past);
    world.clock.set(NOON_MS + 100);
    const at = (ms: number, over: Partial<Account> = {}) =>
      findBalanceAt(world, { ...account, ...over }, ms);

    await expect(at(NOON_MS + 101)).rejects.toMatchObject({ code: 'not_available' });
    await expect(at(NOON_MS - 1)).rejects.toMatchObject({ code: 'not_found' });
    await expect(at(NOON_MS, { mode: 'derived' })).rejects.toMatchObject({ code: 'not_available' });
    expect(await at(NOON_MS + 100)).toMatchObject({ balance: 5n, version: 1 });
    expect(await at(NOON_MS)).toEqual({ balance: 0n, available: 0n, held: 0n, version: 0 });
  });
});

const Steps = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 1, max: 3 }),
    amount: fc.bigInt({ min: 1n, max: 10n ** 18n }),
    from: fc.integer({ min: 0, max: 3 }),
    to: fc.integer({ min: 0, max: 3 }),
  }),
  { minLength: 1, maxLength: 30 },
);

describe('any history, however it is delivered', () => {
  it('has at every instant the balance to which it folds', async () => {
    await fc.assert(
      fc.asyncProperty(Steps, fc.infiniteStream(fc.nat()), async (steps, chances) => {
        const past = pastOf(steps);
        await deliverSomehow(past, chances);
        const endMs = NOON_MS + steps.reduce((sum, it) => sum + it.afterMs, 0) + 2;
        world.clock.set(endMs);

        for (const account of past.accounts) {
          const moments = past.moments.get(account.id) ?? [];
          const first = { balance: 0n, held: 0n, version: 0 };
          for (let atMs = NOON_MS; atMs <= endMs; atMs += 1) {
            const moment = moments.findLast((it) => it.atMs <= atMs);
            const { atMs: _at, ...expected } = moment ?? {
              atMs,
              ...first,
              available: -(account.minBalance ?? 0n),
            };
            expect(await findBalanceAt(world, account, atMs)).toEqual(expected);
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  it('has gapless statements, exact totals, and lists its transactions', async () => {
    await fc.assert(
      fc.asyncProperty(Steps, fc.infiniteStream(fc.nat()), async (steps, chances) => {
        const past = pastOf(steps);
        await deliverSomehow(past, chances);
        const limit = 1 + (chances.next().value % 5);

        for (const account of past.accounts) {
          const lines = await readAll((it) => readStatement(world, account, it), { limit });
          const moments = (past.moments.get(account.id) ?? []).toReversed();
          expect(lines.map(({ atMs, standing }) => ({ atMs, ...standing }))).toEqual(
            moments.map(({ atMs, version, balance, available }) => ({
              atMs,
              seq: version,
              balanceAfter: balance,
              availableAfter: available,
            })),
          );
          const ids = await allIds(past, { ...statementOf(account), isDerived: false }, limit);
          expect(ids).toEqual(lines.flatMap((it) => it.transactionId ?? []));
        }
        const fees = { tenantId: past.tenantId, accountId: past.feesId, currency: 'EUR' };
        const worldEur = statementOfWorld(past.tenantId, 'EUR');
        expect(await findDerivedBalance(world, fees)).toBe(past.derived.fees);
        expect(await findDerivedBalance(world, worldEur)).toBe(past.derived.world);
        for (const statement of [fees, worldEur]) {
          const read = (it: StatementRange) => readShardedStatement(world, statement, it);
          const lines = await readAll(read, { limit });
          const touching = past.events.filter((it) => it.data.includes(`"${statement.accountId}"`));
          const ids = touching.map((it) => JSON.parse(it.data).id).toReversed();
          expect(lines.map((it) => it.transactionId)).toEqual(ids);
          expect(lines.reduce((sum, it) => sum + it.amount, 0n)).toBe(
            await findDerivedBalance(world, statement),
          );
          expect(await allIds(past, { ...statement, isDerived: true }, limit)).toEqual(ids);
        }
      }),
      { numRuns: 15 },
    );
  });
});

/** Every event at least once, some twice, in batches of any size and order. */
async function deliverSomehow({ events }: Past, chances: IterableIterator<number>): Promise<void> {
  const chance = (below: number) => (chances.next().value ?? 0) % below;
  const twice = events.filter(() => chance(3) === 0);
  const shuffled = [...events, ...twice].map((event) => [chance(1_000), event] as const);
  const records = recordsOf(shuffled.toSorted(([a], [b]) => a - b).map(([, event]) => event));
  while (records.length > 0) await projectEntries(records.splice(0, 1 + chance(8)), world);
}

async function allIds(
  _past: Past,
  statement: Parameters<typeof listTransactionPlaces>[1],
  limit: number,
): Promise<string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const page = await listTransactionPlaces(world, statement, { limit, after });
    ids.push(...page.places.map((it) => it.id));
    after = page.next;
  } while (after);
  return ids;
}
