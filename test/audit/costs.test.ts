import { beforeAll, describe, expect, it } from 'vitest';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse } from './audit-house.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const READS = ['get', 'getAll', 'query'];

/** What an audit reads and writes of a tenant with this many movements, and in how many steps. */
async function costOf(count: number, movement: (ids: readonly [string, string]) => object) {
  const house = new AuditHouse(world);
  const ids = [await house.ledger.open({}, '1000000'), await house.ledger.open()] as const;
  const size = 40;
  for (let done = 0; done < count; done += size) {
    const transactions = Array.from({ length: size }, () => movement(ids));
    const body = { atomic: true, transactions };
    const { status } = await house.ledger.post('/v1/transactions/batch', body);
    expect(status).toBe(201);
  }
  return spentOn(house, { transactions: count + 1 });
}

async function spentOn(house: AuditHouse, checked: object) {
  await house.settle();
  world.units.splice(0);
  const audit = await house.audit();
  expect(audit).toMatchObject({ status: 'clean', checked });
  const spent = (isRead: boolean) =>
    world.units
      .filter((it) => READS.includes(it.operation) === isRead)
      .flatMap((it) => it.consumed)
      .reduce((sum, it) => sum + (it.CapacityUnits ?? 0), 0);
  return { reads: spent(true), writes: spent(false), steps: audit.step };
}

describe('an audit', () => {
  it.each([
    {
      what: 'transfer',
      movement: ([sourceAccountId, destinationAccountId]: readonly [string, string]) => ({
        ...{ type: 'transfer', amount: '1', currency: 'EUR' },
        ...{ sourceAccountId, destinationAccountId },
      }),
      min: 9,
      max: 9.6,
    },
    {
      what: 'credit from the world',
      movement: ([accountId]: readonly [string, string]) => ({
        ...{ type: 'credit', amount: '1', currency: 'EUR', accountId },
      }),
      min: 9,
      max: 9.6,
    },
  ])('reads 9 units and little more for each $what', async ({ movement, min, max }) => {
    const few = await costOf(80, movement);
    const many = await costOf(400, movement);

    const each = (many.reads - few.reads) / 320;
    expect(each).toBeGreaterThanOrEqual(min);
    expect(each).toBeLessThanOrEqual(max);
  });

  it('reads 5 units besides for each account: once more at its first entry', async () => {
    const readsOf = async (accounts: number) => {
      const house = new AuditHouse(world);
      for (let nth = 0; nth < accounts; nth += 1) await house.ledger.open({}, '1');
      return (await spentOn(house, { accounts, transactions: accounts })).reads;
    };
    const [few, many] = [await readsOf(5), await readsOf(25)];

    const each = (many - few) / 20 - 9.2;
    expect(each).toBeGreaterThan(4.7);
    expect(each).toBeLessThanOrEqual(5);
  });

  it('writes a few units for each step: its item, and its place in the index due', async () => {
    const { writes, steps } = await costOf(40, ([accountId]) => ({
      ...{ type: 'credit', amount: '1', currency: 'EUR', accountId },
    }));

    expect(steps).toBe(1);
    // Two items together, with two places in indexes; then one of them, and the other is gone.
    expect(writes).toBe(2 * 2 + 2 + 2 * 2 + 1);
  });
});
