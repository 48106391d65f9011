import { beforeAll, describe, expect, it } from 'vitest';
import { WORLD } from '../../functions/ledger/account.ts';
import { findDerivedBalance } from '../../functions/ledger/find-derived-balance.ts';
import { projectEntries } from '../../functions/ledger/project-entries.ts';
import { shardPartitions, statementPartition } from '../../functions/ledger/statement.store.ts';
import { type StatementName, statementOfWorld } from '../../functions/ledger/statement.ts';
import type { Commit, Item, Reason, Write } from '../../functions/shared/world.ts';
import { costOf } from '../support/cost.ts';
import { UNITS } from '../support/units.ts';
import { NOON_MS, newTenant, type TestWorld, testWorld } from '../support/world.ts';
import {
  FEES,
  type History,
  historyOf,
  recordsOf,
  type Step,
  THE_WORLD,
} from './statement-history.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const step = (from: number, to: number, amount = 100n): Step => ({ afterMs: 1, amount, from, to });

function pastOf(steps: readonly Step[]): History & { tenantId: string } {
  const tenantId = newTenant(world);
  return { tenantId, ...historyOf({ tenantId, ids: world.ids, startMs: NOON_MS }, steps) };
}

/** All items of these statements. */
async function storedOf(statements: readonly StatementName[]): Promise<Item[]> {
  const partitions = statements.flatMap((it) => [statementPartition(it), ...shardPartitions(it)]);
  const pages = await Promise.all(
    partitions.map((pk) => world.db.query({ table: 'statements', pk })),
  );
  return pages.flatMap((it) => it.items);
}

function statementsOf({ tenantId, accounts, feesId }: History & { tenantId: string }) {
  const currency = 'EUR';
  return [
    ...accounts.map(({ id }) => ({ tenantId, accountId: id, currency })),
    { tenantId, accountId: feesId, currency },
    statementOfWorld(tenantId, currency),
  ];
}

describe('a projected event', () => {
  it('is one line for each limited account', async () => {
    const past = pastOf([step(THE_WORLD, 0, 500n), step(0, 1, 200n)]);
    const [a, b] = past.accounts;

    expect(await projectEntries(recordsOf(past.events), world)).toEqual([]);

    const lines = await storedOf(statementsOf(past).slice(0, 2));
    expect(lines).toMatchObject([
      { pk: `${past.tenantId}#${a?.id}`, amount: 500, bal: 500, avail: 500, type: 'transfer' },
      { sk: `${NOON_MS + 2}#${'2'.padStart(16, '0')}`, amount: -200, bal: 300, avail: 300 },
      { pk: `${past.tenantId}#${b?.id}`, amount: 200, bal: 200, avail: 5200 },
    ]);
    expect(lines[1]).toMatchObject({ txn: expect.stringMatching(/^txn_/), reference: 'order 200' });
  });

  it('costs two units for a transfer, and five for a credit with its total', async () => {
    const past = pastOf([step(THE_WORLD, 0), step(0, 1)]);
    const [credit, transfer] = recordsOf(past.events).map((it) => [it]);

    const project = (records: typeof transfer) => () => projectEntries(records ?? [], world);
    expect(await costOf(world, project(transfer))).toBe(UNITS.linesOfTransfer);
    expect(await costOf(world, project(credit))).toBe(UNITS.linesOfCredit);
  });

  it('writes a total once for all lines of a batch in its shard', async () => {
    const past = pastOf(Array.from({ length: 100 }, () => step(THE_WORLD, 0)));

    world.takeUnits();
    await projectEntries(recordsOf(past.events), world);

    const units = world.takeUnits();
    const ofWorld = await storedOf([statementOfWorld(past.tenantId, 'EUR')]);
    const totals = ofWorld.filter((it) => it.sk === 'TOTAL').length;
    expect(totals).toBeLessThanOrEqual(16);
    // A line of the account, one of @world in a transaction, and the totals in it as well.
    expect(units).toBe(100 + 2 * 100 + 2 * totals);
  });

  it('tells of a hold by its id, and of a capture by both ids', async () => {
    const past = pastOf([step(0, 0)]);
    const [created] = past.events;
    const data = JSON.parse(created?.data ?? '{}');
    const transactionId = world.ids.next('txn');
    const captured = {
      ...past.events[0],
      id: world.ids.next('evt'),
      type: 'hold.captured',
      occurredAtMs: NOON_MS + 9,
      data: JSON.stringify({
        ...data,
        transactionId,
        entries: [
          { ...data.entries[0], seq: 2, amount: '-100' },
          { accountId: WORLD, currency: 'EUR', amount: '100' },
        ],
      }),
    } as (typeof past.events)[number];

    await projectEntries(recordsOf([...past.events, captured]), world);

    expect(await storedOf(statementsOf(past))).toMatchObject([
      { type: 'hold', amount: 0, hld: data.id, avail: -100 },
      { type: 'capture', amount: -100, hld: data.id, txn: transactionId },
      { type: 'capture', amount: 100, sk: `${NOON_MS + 9}#${transactionId}` },
      { sk: 'TOTAL', sum: 100, lines: 1 },
    ]);
  });
});

describe('the projection', () => {
  it('is the same after batches came twice, in another order and cut elsewhere', async () => {
    const steps = Array.from({ length: 60 }, (_, n) => step(n % 4, (n * 7 + 1) % 4, BigInt(n + 1)));
    const past = pastOf(steps);
    const records = recordsOf(past.events);
    await projectEntries(records, world);
    const before = await storedOf(statementsOf(past));

    for (const size of [1, 7, 25]) {
      for (let start = 0; start < records.length; start += size) {
        await projectEntries(records.slice(start, start + size).toReversed(), world);
      }
    }

    expect(before.length).toBeGreaterThan(80);
    expect(await storedOf(statementsOf(past))).toEqual(before);
  });

  it('counts each line once, whichever copies of a batch run at the same time', async () => {
    const past = pastOf(Array.from({ length: 80 }, (_, n) => step(n % 2, FEES, BigInt(n + 1))));
    const records = recordsOf(past.events);

    await Promise.all(
      Array.from({ length: 8 }, (_, n) => projectEntries(records.slice(n * 5, n * 5 + 45), world)),
    );

    const fees = { tenantId: past.tenantId, accountId: past.feesId, currency: 'EUR' };
    expect(await findDerivedBalance(world, fees)).toBe(past.derived.fees);
  });

  it('splits what is too much for one transaction', async () => {
    const past = pastOf([step(THE_WORLD, FEES, 7n)]);
    const [event] = past.events;
    // The end of an id chooses the shard.
    const copies = Array.from({ length: 240 }, (_, n) => ({
      ...event,
      data: JSON.stringify({
        ...JSON.parse(event?.data ?? '{}'),
        id: `txn_${String(n).padStart(18, '0')}AAAAAAAA`,
      }),
    })) as (typeof past.events)[number][];

    await projectEntries(recordsOf(copies), world);

    const fees = { tenantId: past.tenantId, accountId: past.feesId, currency: 'EUR' };
    const totals = (await storedOf([fees])).filter((it) => it.sk === 'TOTAL');
    expect(totals).toMatchObject([{ lines: 240, sum: 1680 }]);
  });

  it('answers the number of a record that is no event of its own', async () => {
    const past = pastOf([step(THE_WORLD, 0), step(0, 1)]);
    const [first, second] = recordsOf(past.events);
    if (!first || !second) throw new Error('two events');
    const bad = { sequenceNumber: 'bad', item: { ...first.item, data: '{"id":"txn_1"}' } };
    const foreign = { sequenceNumber: 'foreign', item: { ...first.item, type: 'hold.painted' } };

    const failed = await projectEntries([bad, first, foreign, second], world);

    expect(failed).toEqual(['bad', 'foreign']);
    expect(await storedOf(statementsOf(past).slice(0, 2))).toHaveLength(3);
  });

  it('tries a total again that others were writing, and gives up in the end', async () => {
    const past = pastOf([step(THE_WORLD, FEES, 70n), step(THE_WORLD, FEES, 30n)]);
    const conflicts = (times: number) => {
      let left = times;
      return {
        ...world,
        db: {
          ...world.db,
          commit: async (writes: readonly Write[]): Promise<Commit> => {
            if (left <= 0 || writes.length === 1) return world.db.commit(writes);
            left -= 1;
            const reasons = writes.map((): Reason => ({ code: 'conflict' }));
            return { ok: false, reasons };
          },
        },
      };
    };
    const records = recordsOf(past.events);

    await expect(projectEntries(records, conflicts(1_000))).rejects.toMatchObject({ code: 'busy' });
    await projectEntries(records, conflicts(12));

    const worldEur = statementOfWorld(past.tenantId, 'EUR');
    expect(await findDerivedBalance(world, worldEur)).toBe(-100n);
  });
});
