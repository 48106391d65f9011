import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { freshLedger, type LedgerClient, ledgerClient, told } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ({ ledger, a } = await freshLedger(world, '1000'));
  world.clock.advance(1_000);
});

const credit = (amount: string) => ({ type: 'credit', accountId: a, currency: 'EUR', amount });
const balanceAt = async (ms: number) => {
  const { body } = await ledger.get(`/v1/accounts/${a}?at=${new Date(ms).toISOString()}`);
  return body.balance;
};

/** Posts by a server that stands still between its decision and its commit; `then` others act. */
async function postStanding(forMs: number, then: () => Promise<void>) {
  let stands = true;
  const commit: Db['commit'] = async (writes) => {
    if (stands) {
      stands = false;
      world.clock.advance(forMs);
      await then();
    }
    return world.db.commit(writes);
  };
  const standing = ledgerClient({ ...world, db: { ...world.db, commit } }, ledger.tenantId);
  return standing.post('/v1/transactions', credit('5'));
}

it('dates a posting by its decision: behind the last entry a balance may change', async () => {
  const decidedMs = world.clock.nowMs();
  const seen: unknown[] = [];
  await postStanding(10_000, async () => {
    seen.push(await balanceAt(decidedMs - 1), await balanceAt(decidedMs));
  });

  expect(seen).toEqual(['1000', '1000']);
  expect(await balanceAt(decidedMs)).toBe('1005');
});

it('dates no posting before the last entry, so that what was before it is final', async () => {
  let other: unknown;
  const { body } = await postStanding(1_500, async () => {
    other = (await ledger.post('/v1/transactions', credit('1'))).body.createdAt;
  });

  expect(body.entries[1]).toMatchObject({ amount: '5', balanceAfter: '1006' });
  expect(Date.parse(String(body.createdAt))).toBeGreaterThan(Date.parse(String(other)));
});

it('refuses a posting that stood still for longer while the account moved', async () => {
  const answer = await postStanding(10_000, async () => {
    await ledger.post('/v1/transactions', credit('1'));
  });

  expect(told(answer)).toBe('503 busy');
  expect((await ledger.account(a)).balance).toBe('1001');
});
