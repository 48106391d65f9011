import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db, Ids, Reason } from '../../functions/shared/world.ts';
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
 * A client whose first read sees the record of its key as it was before another copy of the request
 * was committed, and all else as it is after that: a batch of reads is no snapshot.
 */
function skewed(): LedgerClient {
  let isFirst = true;
  const getAll: Db['getAll'] = async (keys) => {
    const items = await world.db.getAll(keys);
    if (!isFirst) return items;
    isFirst = false;
    return [undefined, ...items.slice(1)];
  };
  return ledgerClient({ ...world, db: { ...world.db, getAll } }, ledger.tenantId);
}

const transfer = () => ({
  ...{ type: 'transfer', amount: '10', currency: 'EUR' },
  ...{ sourceAccountId: a, destinationAccountId: b },
});

describe('the second copy of a request that overlaps with the first', () => {
  it.each<[string, () => Promise<{ target: string; body?: unknown }>]>([
    [
      'with a precondition that the first one has used up',
      async () => {
        const preconditions = [{ accountId: a, version: 1 }];
        return { target: '/v1/transactions', body: { ...transfer(), preconditions } };
      },
    ],
    [
      'of a batch with such a precondition',
      async () => {
        const preconditions = [{ accountId: a, version: 1 }];
        const transactions = [{ ...transfer(), preconditions }];
        return { target: '/v1/transactions/batch', body: { atomic: true, transactions } };
      },
    ],
    [
      'of a reversal',
      async () => {
        const { body } = await ledger.post('/v1/transactions', transfer());
        return { target: `/v1/transactions/${body.id}/reversals`, body: {} };
      },
    ],
    [
      'of a capture',
      async () => {
        const asked = { accountId: a, amount: '10', currency: 'EUR', destinationAccountId: b };
        const { body } = await ledger.post('/v1/holds', asked);
        return { target: `/v1/holds/${body.id}/capture`, body: {} };
      },
    ],
    [
      'of a void',
      async () => {
        const asked = { accountId: a, amount: '10', currency: 'EUR' };
        const { body } = await ledger.post('/v1/holds', asked);
        return { target: `/v1/holds/${body.id}/void` };
      },
    ],
  ])('%s is answered like the first', async (_what, ask) => {
    const { target, body } = await ask();
    const first = await ledger.post(target, body, 'one');
    const second = await skewed().post(target, body, 'one');

    expect([second.status, second.replayed]).toEqual([first.status, true]);
    expect(second.body).toEqual(first.body);
  });
});

it.each([
  ['that is being committed', 'conflict'],
  ['capacity is short', 'throttled'],
] as const)('finds the account of its own copy while %s', async (_what, code) => {
  const body = { currency: 'EUR', externalId: 'mine' };
  const first = await ledger.post('/v1/accounts', body, 'acc');
  let isFirst = true;
  // Nobody has looked at the condition of the record, and its claim is there already.
  const commit: Db['commit'] = async (writes) => {
    if (!isFirst) return world.db.commit(writes);
    isFirst = false;
    const none = writes.slice(3).map((): Reason => ({ code: 'none' }));
    return {
      ok: false,
      reasons: [{ code }, ...none, { code: 'condition' }, { code: 'none' }],
    };
  };
  const copy = ledgerClient({ ...world, db: { ...world.db, commit } }, ledger.tenantId);

  expect(await copy.post('/v1/accounts', body, 'acc')).toMatchObject({
    ...{ status: 201, replayed: true, body: { id: first.body.id } },
  });
});

it('decides anew when it has slept between its decision and its commit', async () => {
  const commits: number[] = [];
  const commit: Db['commit'] = (writes) => {
    commits.push(world.clock.nowMs());
    return world.db.commit(writes);
  };
  let sleeps = 1;
  const next: Ids['next'] = (prefix) => {
    // The id of the event is made after the decision.
    if (prefix === 'evt' && sleeps-- > 0) world.clock.advance(600_000);
    return world.ids.next(prefix);
  };
  const doors = { ...world, ids: { ...world.ids, next }, db: { ...world.db, commit } };
  const { body } = await ledgerClient(doors, ledger.tenantId).post('/v1/transactions', transfer());

  expect(commits).toHaveLength(1);
  expect(Date.parse(String(body.createdAt))).toBeGreaterThanOrEqual((commits[0] ?? 0) - 2_000);
});
