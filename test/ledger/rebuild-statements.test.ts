import { beforeAll, describe, expect, it } from 'vitest';
import { LISTING_SHARDS } from '../../functions/events/event.store.ts';
import { WORLD } from '../../functions/ledger/account.ts';
import { captureHold } from '../../functions/ledger/capture-hold.ts';
import { createAccount } from '../../functions/ledger/create-account.ts';
import { createHold } from '../../functions/ledger/create-hold.ts';
import { postTransaction } from '../../functions/ledger/post-transaction.ts';
import { projectEntries } from '../../functions/ledger/project-entries.ts';
import { rebuildStatements } from '../../functions/ledger/rebuild-statements.ts';
import { shardPartitions, statementPartition } from '../../functions/ledger/statement.store.ts';
import { statementOfWorld } from '../../functions/ledger/statement.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import { voidHold } from '../../functions/ledger/void-hold.ts';
import type { Call, Contract, Route } from '../../functions/shared/http/route.ts';
import type { Item, Key } from '../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

let keys = 0;

/** Calls a route as its shell would. */
async function call<Body>(
  { contract, answer }: Route<TestWorld>,
  about: Partial<Call<Contract>> & { readonly tenantId: string },
): Promise<Body> {
  keys += 1;
  const idempotency = { key: `key-${keys}`, fingerprint: 'same' };
  const { body } = await answer({ idempotency, ...about } as Call<Contract>, world);
  expect(contract.reply.status).toBeLessThan(300);
  return body as Body;
}

interface Made {
  readonly tenantId: string;
  readonly accounts: readonly string[];
  readonly fees: string;
}

/** A tenant with a past of all kinds, that its statements tell of. */
async function tenantWithPast(): Promise<Made> {
  const tenantId = newTenant(world);
  const open = async (mode: 'limited' | 'derived') => {
    const body = { currency: 'EUR', mode };
    const { id } = await call<{ id: string }>(createAccount as Route<TestWorld>, {
      tenantId,
      body,
    });
    return id;
  };
  const [a, b, fees] = await Promise.all([open('limited'), open('limited'), open('derived')]);
  const post = (sourceId: string, destinationId: string, amount: bigint) =>
    postTransaction(world, {
      id: world.ids.next('txn'),
      tenantId,
      type: 'transfer',
      postings: [{ sourceId, destinationId, amount, currency: 'EUR' }],
      reference: `order ${amount}`,
    });
  await post(WORLD, a, 10_000n);
  for (let n = 1n; n <= 60n; n += 1n) {
    await post(a, n % 3n === 0n ? fees : b, n);
    world.clock.advance(5);
  }
  const hold = async (amount: bigint) => {
    const body = { accountId: a, amount, currency: 'EUR', destinationAccountId: fees };
    const made = await call<{ id: string }>(createHold as Route<TestWorld>, {
      tenantId,
      body: { ...body, reference: `hold ${amount}` },
    });
    return { id: made.id };
  };
  const [captured, voided] = [await hold(500n), await hold(600n)];
  await hold(700n);
  const captures = { tenantId, params: captured, body: { amount: 400n } };
  await call(captureHold as Route<TestWorld>, captures);
  await call(voidHold as Route<TestWorld>, { tenantId, params: voided });
  await projectEntries(await recordsIn(tenantId), world);
  return { tenantId, accounts: [a, b], fees };
}

/** The ledger's events of a tenant, as the stream has them. */
async function recordsIn(tenantId: string) {
  const shards = Array.from({ length: LISTING_SHARDS }, (_, shard) => `${tenantId}#${shard}`);
  const pages = await Promise.all(
    shards.map((pk) => world.db.query({ table: 'outbox', index: 'listing', pk })),
  );
  const entries = pages.flatMap((it) => it.items).filter((it) => !/^account/.test(String(it.type)));
  const items = await world.db.getAll(
    entries.map(({ pk, sk }) => ({ table: 'outbox', pk: String(pk), sk: String(sk) })),
  );
  return items.map((item, index) => ({ sequenceNumber: String(index), item: item ?? {} }));
}

async function storedOf({ tenantId, accounts, fees }: Made): Promise<Item[]> {
  const name = (accountId: string) => ({ tenantId, accountId, currency: 'EUR' });
  const partitions = [
    ...accounts.map((it) => statementPartition(name(it))),
    ...shardPartitions(name(fees)),
    ...shardPartitions(statementOfWorld(tenantId, 'EUR')),
  ];
  const pages = await Promise.all(
    partitions.map((pk) => world.db.query({ table: 'statements', pk })),
  );
  return pages.flatMap((it) => it.items);
}

const keyOf = ({ pk, sk }: Item): Key => ({ pk: String(pk), sk: String(sk) });
const put = (item: Item) =>
  world.db.commit([{ kind: 'put', table: 'statements', item: { ...keyOf(item), ...item } }]);
const remove = (item: Item | undefined) =>
  world.db.commit([{ kind: 'remove', table: 'statements', key: keyOf(item ?? {}) }]);

const CLEAN = { missing: 0, different: 0, wrongTotals: 0, busyTotals: 0, unreadable: 0 };

/** What it has found, and what it has named. */
async function rebuild({ tenantId }: Made, how: { readonly dryRun: boolean }) {
  const names: string[] = [];
  const onUnreadable = ({ id, detail }: { readonly id: string; readonly detail: string }) => {
    names.push(`${id}: ${detail}`);
  };
  const found = await rebuildStatements(world, tenantId, { ...how, onUnreadable });
  return { names, found };
}

describe('a rebuild of the statements', () => {
  it('finds in the journal exactly what the projection wrote', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);

    const found = await rebuildStatements(world, made.tenantId, { dryRun: false });

    const lines = before.filter((it) => it.sk !== 'TOTAL').length;
    expect(found).toEqual({ ...CLEAN, lines });
    // 61 transactions with two entries each, three holds, a capture with two entries, and a void.
    expect(lines).toBe(2 * 61 + 3 + 2 + 1);
    expect(await storedOf(made)).toEqual(before);
  });

  it('makes all of them anew, and a second one finds nothing to do', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    for (const item of before) await remove(item);

    const first = await rebuildStatements(world, made.tenantId, { dryRun: false });
    const second = await rebuildStatements(world, made.tenantId, { dryRun: false });

    expect(first).toEqual({ ...CLEAN, lines: 128, missing: 128 });
    expect(second).toEqual({ ...CLEAN, lines: 128 });
    expect(await storedOf(made)).toEqual(before);
  });

  it('puts right lines and totals that are gone or wrong; a dry run only counts them', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const ofAccount = before.filter((it) => it.seq !== undefined || it.bal !== undefined);
    const ofShards = before.filter((it) => it.bal === undefined && it.sk !== 'TOTAL');
    const totals = before.filter((it) => it.sk === 'TOTAL');
    await remove(ofAccount[7]);
    // Its total counts it still: with the line, it would count it twice.
    await remove(ofShards.find((it) => it.pk === totals.at(-1)?.pk));
    const changed = [
      { ...keyOf(ofAccount[9] ?? {}), ...ofAccount[9], bal: 1n },
      { ...keyOf(totals[0] ?? {}), ...totals[0], sum: 12_345n },
    ];
    for (const item of changed) {
      await world.db.commit([{ kind: 'put', table: 'statements', item }]);
    }
    await remove(totals[1]);
    const damaged = await storedOf(made);

    const dry = await rebuildStatements(world, made.tenantId, { dryRun: true });
    expect(dry).toMatchObject({ missing: 2, different: 1, busyTotals: 0 });
    expect(dry.wrongTotals).toBeGreaterThanOrEqual(2);
    expect(await storedOf(made)).toEqual(damaged);

    const found = await rebuildStatements(world, made.tenantId, { dryRun: false });
    expect(found).toMatchObject({ missing: 2, different: 1, busyTotals: 0 });
    expect(await storedOf(made)).toEqual(before);
    const again = await rebuildStatements(world, made.tenantId, { dryRun: true });
    expect(again).toEqual({ ...CLEAN, lines: 128 });
  });

  it('puts lines and totals anew that cannot be read, also where lines are missing', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const [ofAccount] = before.filter((it) => it.bal !== undefined);
    const [total, other] = before.filter((it) => it.sk === 'TOTAL');
    const ofShard = before.find((it) => it.pk === other?.pk && it.sk !== 'TOTAL');
    await put({ ...ofAccount, amount: 'x' });
    await put({ ...ofShard, type: 7 });
    await put({ ...total, sum: 'x', lines: undefined });
    // Nothing can be added to such a total, so lines of the shard are missing as a rule.
    await remove(before.find((it) => it.pk === total?.pk && it.sk !== 'TOTAL'));

    const { names, found } = await rebuild(made, { dryRun: false });

    expect([found.missing, found.different, found.unreadable, names]).toEqual([1, 2, 0, []]);
    expect(await storedOf(made)).toEqual(before);
    expect((await rebuild(made, { dryRun: true })).found).toEqual({ ...CLEAN, lines: 128 });
  });

  it('puts what is missing in beside a line and a total that one release has damaged', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const shards = Map.groupBy(before, (it) => String(it.pk));
    const [shard = []] = [...shards.values()].filter(
      (rows) => rows.some((it) => it.sk === 'TOTAL') && rows.length > 2,
    );
    const [total] = shard.filter((it) => it.sk === 'TOTAL');
    const [damaged, lost] = shard.filter((it) => it.sk !== 'TOTAL');
    await put({ ...total, sum: 'x' });
    await put({ ...damaged, amount: 'x' });
    await remove(lost);

    const { found } = await rebuild(made, { dryRun: false });

    expect([found.missing, found.different, found.busyTotals]).toEqual([1, 1, 0]);
    expect(await storedOf(made)).toEqual(before);
  });

  it('names and leaves what is unreadable and not in the journal, and goes on', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const [ofAccount, second] = before.filter((it) => it.bal !== undefined);
    const [total, other] = before.filter((it) => it.sk === 'TOTAL');
    const alien = { pk: String(other?.pk), sk: '0000000000001#txn_alien', v: 1, amount: 'x' };
    await put(alien);
    await put({ ...ofAccount, v: 2 });
    await put({ ...total, v: 2 });
    await remove(before.find((it) => it.pk === total?.pk && it.sk !== 'TOTAL'));
    await remove(second);

    const { names, found } = await rebuild(made, { dryRun: false });

    const rows = [ofAccount, total, alien].map((it) => `${it?.pk} ${it?.sk}`);
    expect(found).toMatchObject({ missing: 1, different: 0, wrongTotals: 0, unreadable: 3 });
    for (const row of rows) {
      expect(names.filter((it) => it.endsWith(`cannot be read: ${row}`))).toHaveLength(1);
    }
    const after = await storedOf(made);
    expect(after).toContainEqual(second);
    expect(after).toContainEqual({ ...ofAccount, v: 2 });
    expect(after).toContainEqual({ ...total, v: 2 });
  });

  it('names a line of a later release once, though its total needs it, too', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const [total] = before.filter((it) => it.sk === 'TOTAL');
    const ofShard = before.find((it) => it.pk === total?.pk && it.sk !== 'TOTAL');
    await put({ ...ofShard, v: 2 });

    const row = `cannot be read: ${ofShard?.pk} ${ofShard?.sk}`;
    for (const dryRun of [true, false]) {
      const { names, found } = await rebuild(made, { dryRun });
      expect([found.unreadable, names]).toEqual([1, [expect.stringContaining(row)]]);
    }
  });

  it('names a record that cannot be read, and makes the lines of all others', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    const damaged = String(before.findLast((it) => it.bal !== undefined && it.txn)?.txn);
    const key = journalKey(made.tenantId, damaged);
    const record = await world.db.get('ledger', key);
    const item = { ...key, ...record, legs: 'none' };
    await world.db.commit([{ kind: 'put', table: 'ledger', item }]);
    for (const it of before.filter(({ txn }) => txn !== damaged)) await remove(it);

    const { names, found } = await rebuild(made, { dryRun: false });

    expect(names).toEqual([`${damaged}: its record cannot be read`]);
    expect(found.unreadable).toBe(1);
    expect(await storedOf(made)).toEqual(before);
  });

  it('takes back totals of derived accounts and @world without any entry', async () => {
    const made = await tenantWithPast();
    const mode = 'derived';
    const { id } = await call<{ id: string }>(createAccount as Route<TestWorld>, {
      tenantId: made.tenantId,
      body: { currency: 'USD', mode },
    });
    const idle = [
      { tenantId: made.tenantId, accountId: id, currency: 'USD' },
      statementOfWorld(made.tenantId, 'USD'),
    ];
    const totals = idle.map((it) => ({ pk: shardPartitions(it)[3] ?? '', sk: 'TOTAL', v: 1 }));
    for (const total of totals) await put({ ...total, sum: 5n, lines: 1 });

    const dry = await rebuild(made, { dryRun: true });
    expect(dry.found).toEqual({ ...CLEAN, lines: 128, wrongTotals: 2 });
    const { found } = await rebuild(made, { dryRun: false });
    expect(found).toEqual({ ...CLEAN, lines: 128, wrongTotals: 2 });

    for (const { pk, sk } of totals) {
      expect(await world.db.get('statements', { pk, sk })).toMatchObject({ sum: 0, lines: 0 });
    }
    expect((await rebuild(made, { dryRun: true })).found).toEqual({ ...CLEAN, lines: 128 });
  });

  it('may run beside the projection: each line counts once', async () => {
    const made = await tenantWithPast();
    const before = await storedOf(made);
    for (const item of before) await remove(item);
    const records = await recordsIn(made.tenantId);

    await Promise.all([
      rebuildStatements(world, made.tenantId, { dryRun: false }),
      ...[0, 20, 40].map((start) => projectEntries(records.slice(start, start + 40), world)),
      rebuildStatements(world, made.tenantId, { dryRun: false }),
    ]);

    expect(await storedOf(made)).toEqual(before);
  });

  it('leaves a total alone that moves while its lines are read', async () => {
    const made = await tenantWithPast();
    const [total] = (await storedOf(made)).filter((it) => it.sk === 'TOTAL');
    let moves = 0;
    const restless = {
      ...world,
      db: {
        ...world.db,
        query: async (query: Parameters<typeof world.db.query>[0]) => {
          const page = await world.db.query(query);
          if (query.table !== 'statements' || query.pk !== total?.pk) return page;
          moves += 1;
          const key = keyOf(total ?? {});
          const update = 'ADD #lines :one';
          const names = { '#lines': 'lines' };
          const more = { kind: 'update', table: 'statements', key, update, names } as const;
          await world.db.commit([{ ...more, values: { ':one': 1 } }]);
          return page;
        },
      },
    };

    const found = await rebuildStatements(restless, made.tenantId, { dryRun: false });

    expect([found.busyTotals, moves]).toEqual([1, 8]);
  });
});
