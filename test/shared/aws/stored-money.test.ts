import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { StoredMinor } from '../../../functions/ledger/account.store.ts';
import { BALANCE_MAX } from '../../../functions/shared/money.ts';
import type { Item, Write } from '../../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../../support/world.ts';

let world: TestWorld;
let key: { pk: string; sk: string };
beforeAll(async () => {
  world = await testWorld();
  key = { pk: newTenant(world), sk: 'money' };
});

/** Each call reaches the engine: fewer runs than elsewhere, and the hard numbers always. */
const runs = (...examples: bigint[][]) => ({ numRuns: 60, examples: examples as never });
const minor = fc.bigInt({ min: -BALANCE_MAX, max: BALANCE_MAX });
const UNSAFE = 2n ** 53n + 1n;
/** Zeros at the end are what an engine would write with an exponent. */
const ROUND = 10n ** 29n;

const put = (fields: Item): Write => ({
  kind: 'put',
  table: 'ledger',
  item: { ...key, ...fields },
});

async function stored(): Promise<Item> {
  const item = await world.db.get('ledger', key);
  if (!item) throw new Error('nothing was stored');
  return item;
}

it('minor units of 30 digits are read as they were written', async () => {
  const law = fc.asyncProperty(minor, async (amount) => {
    await world.db.commit([put({ amount })]);

    expect(StoredMinor.parse((await stored()).amount)).toBe(amount);
  });
  await fc.assert(law, runs([0n], [UNSAFE], [-UNSAFE], [ROUND], [-ROUND], [BALANCE_MAX]));
});

it('the engine adds and subtracts them exactly', async () => {
  const law = fc.asyncProperty(minor, minor, async (balance, amount) => {
    await world.db.commit([put({ up: balance, down: balance, added: balance })]);
    await world.db.commit([
      {
        kind: 'update',
        table: 'ledger',
        key,
        update: 'SET up = up + :amount, down = down - :amount ADD added :amount',
        values: { ':amount': amount },
      },
    ]);

    const { up, down, added } = await stored();
    expect([up, down, added].map((it) => StoredMinor.parse(it))).toEqual([
      balance + amount,
      balance - amount,
      balance + amount,
    ]);
  });
  const hard = [
    [BALANCE_MAX, BALANCE_MAX],
    [BALANCE_MAX, -BALANCE_MAX],
    [BALANCE_MAX, 1n],
  ];
  await fc.assert(law, runs(...hard, [UNSAFE, -1n], [ROUND, -1n], [-1n, 1n]));
});

it('the engine compares them exactly in a condition', async () => {
  const law = fc.asyncProperty(minor, async (avail) => {
    await world.db.commit([put({ avail })]);
    const take = (amount: bigint): Write => ({
      ...put({ avail }),
      condition: 'avail >= :amount',
      values: { ':amount': amount },
    });

    expect((await world.db.commit([take(avail)])).ok).toBe(true);
    expect((await world.db.commit([take(avail + 1n)])).ok).toBe(false);
  });
  await fc.assert(law, runs([UNSAFE], [-UNSAFE], [ROUND], [BALANCE_MAX], [-BALANCE_MAX]));
});
