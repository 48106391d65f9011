import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { insertShardLines } from '../../functions/ledger/statement.store.ts';
import type { Db } from '../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient } from './ledger-client.ts';
import { derivedLine } from './list-fixtures.ts';

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

describe('a list of derived accounts', () => {
  it('reads all of their totals at once', async () => {
    const derived: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      world.clock.advance(10);
      derived.push(await ledger.open({ mode: 'derived' }));
    }
    for (const [n, accountId] of derived.entries()) {
      const lines = [1, 2, 3].map((it) =>
        derivedLine({ tenantId: ledger.tenantId, accountId, currency }, it, BigInt(it * (n + 1))),
      );
      for (const line of lines) await world.db.commit(insertShardLines([line]));
    }
    let calls = 0;
    const getAll: Db['getAll'] = (keys) => {
      calls += 1;
      return world.db.getAll(keys);
    };
    const client = ledgerClient({ ...world, db: { ...world.db, getAll } }, ledger.tenantId);
    world.units.splice(0);

    const { body } = await client.get('/v1/accounts?limit=100');

    expect(body.data.map((it) => [it.id, it.balance])).toEqual([
      ...derived.map((id, n) => [id, String(6 * (n + 1))]).toReversed(),
      [a, '1000'],
    ]);
    expect(calls).toBe(2);
    const units = world.units.flatMap((it) => it.consumed);
    const ofTotals = units.filter((it) => it.TableName === world.tables.statements);
    expect(ofTotals.reduce((sum, it) => sum + (it.CapacityUnits ?? 0), 0)).toBe(8 * 16);
  });

  it('reads none where there are none', async () => {
    world.units.splice(0);
    await ledger.get('/v1/accounts');

    const units = world.units.flatMap((it) => it.consumed);
    expect(units.some((it) => it.TableName === world.tables.statements)).toBe(false);
  });
});
