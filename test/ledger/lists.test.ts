import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listTransactionPlaces } from '../../functions/ledger/list-account-transactions.ts';
import { putLine } from '../../functions/ledger/statement.store.ts';
import type { StatementLine } from '../../functions/ledger/statement.ts';
import type { Db, Key, TableName } from '../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ledger = ledgerClient(world, newTenant(world));
  a = await ledger.open({}, '1000');
});

const currency = 'EUR';
const idsOf = (data: readonly { readonly id: string }[]) => data.map((it) => it.id);

/** All pages of a list, each as its ids. */
async function pagesOf(client: LedgerClient, target: string): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: unknown;
  do {
    const more = cursor === undefined ? '' : `&cursor=${String(cursor)}`;
    const { status, body } = await client.get(`${target}${more}`);
    expect(status).toBe(200);
    pages.push(idsOf(body.data));
    expect(body.hasMore).toBe(body.nextCursor !== undefined);
    cursor = body.nextCursor;
  } while (cursor !== undefined);
  return pages;
}

describe('a list that is filtered', () => {
  const hold = async (accountId: string) => {
    world.clock.advance(10);
    const { status, body } = await ledger.post('/v1/holds', { accountId, amount: '1', currency });
    expect(status).toBe(201);
    return body.id;
  };

  it('finds the one hold of an account behind many others, and reads each once', async () => {
    const id = await hold(a);
    const other = await ledger.open({}, '1000');
    for (let n = 0; n < 12; n += 1) await hold(other);
    const read: string[] = [];
    const client = ledgerClient(countingReads(read), ledger.tenantId);

    expect(await pagesOf(client, `/v1/holds?accountId=${a}&limit=1`)).toEqual([[id]]);
    expect(read).toHaveLength(13);
    expect(new Set(read).size).toBe(13);
    read.splice(0);
    expect(
      (await pagesOf(client, `/v1/holds?accountId=${other}&limit=4`)).map((it) => it.length),
    ).toEqual([4, 4, 4]);
  });

  it('shows a hold once that moves from one status to another meanwhile', async () => {
    const ids = [await hold(a), await hold(a), await hold(a)].toReversed();
    const query: Db['query'] = (asked) =>
      world.db.query({ ...asked, pk: asked.pk.replace('#captured', '#pending') });
    const client = ledgerClient({ ...world, db: { ...world.db, query } }, ledger.tenantId);

    for (const filter of ['', `&accountId=${a}`]) {
      expect(await pagesOf(client, `/v1/holds?limit=100${filter}`)).toEqual([ids]);
      expect((await pagesOf(client, `/v1/holds?limit=1${filter}`)).flat()).toEqual(ids);
      expect((await pagesOf(client, `/v1/holds?limit=2${filter}`)).flat()).toEqual(ids);
    }
  });

  it.each([false, true])(
    'finds a transaction behind many lines of holds (%s)',
    async (isDerived) => {
      const statement = { tenantId: ledger.tenantId, accountId: a, currency };
      const lines = Array.from({ length: 101 }, (_, n): StatementLine => {
        const standing = { seq: n + 1, balanceAfter: 1n, availableAfter: 1n };
        return {
          ...{ ...statement, atMs: 1_000 + n, type: 'hold', amount: 0n, holdId: `hld_${n}` },
          ...(n === 0 && { transactionId: 'txn_1', holdId: undefined }),
          ...(!isDerived && { standing }),
        };
      });
      for (const line of lines) await world.db.commit([putLine(line)]);
      world.units.splice(0);

      const page = await listTransactionPlaces(world, { ...statement, isDerived }, { limit: 1 });

      expect(page).toEqual({ places: [{ id: 'txn_1', place: expect.stringMatching(/1000#/) }] });
    },
  );

  function countingReads(read: string[]): TestWorld {
    const getAll: Db['getAll'] = (keys) => {
      read.push(...keys.map(nameOf));
      return world.db.getAll(keys);
    };
    return { ...world, db: { ...world.db, getAll } };
  }

  const nameOf = ({ table, pk, sk }: Key & { table: TableName }) => `${table} ${pk} ${sk}`;
});
