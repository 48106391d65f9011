import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openReport } from '../../bin/ops/repair-report.ts';
import { repairLedger } from '../../functions/audit/repair-ledger.ts';
import { type Mend, type Repair, repairOne } from '../../functions/audit/repair-one.ts';
import { accountKey } from '../../functions/ledger/account.store.ts';
import { journalKey } from '../../functions/ledger/transaction.store.ts';
import type { Db, Item, TableName } from '../../functions/shared/world.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import { checkStatements } from '../support/invariants/statements.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse, makePast, type Past } from './audit-house.ts';

const TABLES = ['ledger', 'statements', 'outbox'] as const;

type Table = (typeof TABLES)[number];
type Copy = Readonly<Record<Table, readonly Item[]>>;

let world: TestWorld;
let house: AuditHouse;
let past: Past;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  house = new AuditHouse(world);
  past = await makePast(house);
  await house.project();
});

/** The tables of the tenant at this instant. */
async function copy(): Promise<Copy> {
  const items = await Promise.all(TABLES.map((it) => house.items(it)));
  return { ledger: items[0] ?? [], statements: items[1] ?? [], outbox: items[2] ?? [] };
}

const keyOf = ({ pk, sk }: Item) => ({ pk: String(pk), sk: String(sk) });

/** Puts the tables back as they were, each at its instant. */
async function restore(tables: Copy): Promise<void> {
  await Promise.all(
    TABLES.map(async (table) => {
      const gone = (await house.items(table)).map(
        (it) => ({ kind: 'remove', key: keyOf(it) }) as const,
      );
      await Promise.all(gone.map((it) => world.db.commit([{ ...it, table }])));
      const puts = tables[table].map((it) => ({ ...keyOf(it), ...it }));
      await Promise.all(puts.map((item) => world.db.commit([{ kind: 'put', table, item }])));
    }),
  );
}

interface Report {
  readonly mends: Partial<Record<Mend, number>>;
  readonly losses: readonly string[];
}

async function repair(dryRun = false, db: Db = world.db): Promise<Report> {
  const mends: Partial<Record<Mend, number>> = {};
  const losses: string[] = [];
  const how: Repair = {
    dryRun,
    mended: (what, _id, count = 1) => {
      mends[what] = (mends[what] ?? 0) + count;
    },
    lost: ({ id, detail }) => losses.push(`${id}: ${detail}`),
  };
  await repairLedger({ ...world, db }, house.tenantId, how);
  return { mends, losses };
}

async function violations(): Promise<string[]> {
  const all = await copy();
  return [...checkLedger(all), ...checkStatements(all)];
}

/** What happens between two instants: all that one commit may change. */
async function goOn(): Promise<{ readonly transfer: string; readonly voided: string }> {
  const { ledger } = house;
  const currency = 'EUR';
  const move = { sourceAccountId: past.a, destinationAccountId: past.b, amount: '7', currency };
  const post = async (target: string, body?: object) => {
    const answer = await ledger.post(target, body);
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    world.clock.advance(1_000);
    return answer.body;
  };
  const transfer = await post('/v1/transactions', { type: 'transfer', ...move });
  await post(`/v1/transactions/${transfer.id}/reversals`, {});
  const debit = { type: 'debit', accountId: past.a, amount: '5', currency };
  await post('/v1/transactions', debit);
  await post(`/v1/holds/${past.pending}/capture`, { amount: '40' });
  const terms = { accountId: past.a, amount: '10', currency, destinationAccountId: past.fees };
  const hold = await post('/v1/holds', terms);
  await post(`/v1/holds/${hold.id}/void`);
  await house.project();
  return { transfer: transfer.id, voided: hold.id };
}

describe('a restore to one second whose transactions are torn', () => {
  it('is made whole from the journal: events, statements; the audit is clean then', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    await restore({ ...late, outbox: early.outbox, statements: early.statements });
    expect(await violations()).not.toEqual([]);

    const { mends, losses } = await repair();

    expect(losses).toEqual([]);
    expect(mends).toEqual({ 'missing event': 6, 'missing line': 10 });
    expect(await violations()).toEqual([]);
    const events = new Map((await copy()).outbox.map((it) => [it.id, it]));
    for (const event of late.outbox) {
      const again = events.get(event.id) ?? {};
      expect({ ...again, traceparent: undefined }).toEqual({ ...event, traceparent: undefined });
    }
    await house.settle();
    expect(await house.audit()).toMatchObject({ status: 'clean' });
  });

  it('names what the ledger has lost and others remember, and takes its lines away', async () => {
    const early = await copy();
    const { transfer, voided } = await goOn();
    const late = await copy();
    await restore({ ...late, ledger: early.ledger });

    const { mends, losses } = await repair();

    expect(mends).toEqual({ 'line of nothing': 10, 'wrong total': expect.any(Number) });
    const about = (id: string) => losses.filter((it) => it.includes(id));
    expect(about(transfer).join()).toContain('said -7 EUR');
    expect(about(voided).length).toBeGreaterThan(0);
    const told = late.outbox.filter(({ id }) => !early.outbox.some((it) => it.id === id));
    expect(told).toHaveLength(6);
    for (const { id } of told) expect(about(String(id)), String(id)).toHaveLength(1);
    const left = await violations();
    expect(left.filter((it) => !it.startsWith('O1'))).toEqual([]);
  });

  it('brings balances, holds and marks to the records of the journal', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    const isRecord = ({ sk, id }: Item) => sk === '#' && /^(txn|rel)_/.test(String(id));
    const isNewHold = ({ id }: Item) =>
      String(id).startsWith('hld_') && !early.ledger.some((it) => it.id === id);
    // As the hold was before its end: that write is the one that was torn off.
    const asOpened = (it: Item): Item => ({
      ...it,
      status: 'pending',
      release: undefined,
      resolvedAt: undefined,
      listingPk: `${house.tenantId}#H#pending`,
    });
    const ledger = [
      ...early.ledger.filter((it) => !isRecord(it)),
      ...late.ledger.filter(isRecord),
      ...late.ledger.filter(isNewHold).map(asOpened),
    ];
    await restore({ ...late, ledger });
    expect((await violations()).length).toBeGreaterThan(3);

    const { mends, losses } = await repair();

    expect(losses).toEqual([]);
    expect(mends).toEqual({
      'end of a hold': 2,
      'mark of a reversal': 1,
      'balance behind its entries': 2,
    });
    expect(await violations()).toEqual([]);
    const withoutHolds = (it: Item) => !String(it.id).startsWith('hld_');
    const now = (await copy()).ledger.filter(withoutHolds);
    expect(now).toEqual(expect.arrayContaining(late.ledger.filter(withoutHolds)));
  });

  it('says exactly which balance has moved without its posting, and leaves it', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    const balances = [past.a, past.b].map((it) => accountKey(house.tenantId, it).pk);
    const isBalance = ({ pk, sk }: Item) => sk === '#' && balances.includes(String(pk));
    const ledger = [
      ...early.ledger.filter((it) => !isBalance(it)),
      ...late.ledger.filter(isBalance),
    ];
    await restore({ ...early, ledger });

    const { mends, losses } = await repair();

    expect(mends).toEqual({});
    for (const id of [past.a, past.b]) {
      const own = losses.filter((it) => it.startsWith(`${id}: its balance has moved by entries`));
      expect(own).toHaveLength(1);
      expect(own[0]).toMatch(/which the journal lacks: it is \d+ EUR with \d+ held/);
    }
    expect((await copy()).ledger).toEqual(expect.arrayContaining(ledger.slice(-2)));
  });

  it('counts in a dry run what it would do, and writes nothing', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    await restore({ ...late, outbox: early.outbox, statements: early.statements });
    const before = await copy();

    const { mends } = await repair(true);

    expect(mends).toEqual({ 'missing event': 6, 'missing line': 10 });
    expect(await copy()).toEqual(before);
  });

  it('goes on where it was when it is stopped at any write, and finds nothing twice', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    await restore({ ...late, outbox: early.outbox, statements: early.statements });
    for (let stops = 0; ; stops += 1) {
      let writes = 0;
      const commit: Db['commit'] = async (all) => {
        if (writes >= 3) throw new Error('stopped');
        writes += 1;
        return world.db.commit(all);
      };
      const ended = await repair(false, { ...world.db, commit }).catch(() => undefined);
      expect(stops).toBeLessThan(20);
      if (ended) break;
    }

    expect(await violations()).toEqual([]);
    expect(await repair()).toEqual({ mends: {}, losses: [] });
  });

  it('has printed the loss by each line that is gone, whenever it is stopped', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    await restore({ ...late, ledger: early.ledger });
    const printed: string[] = [];
    const report = openReport(false, { print: (line) => printed.push(line) });
    let removals = 0;
    const commit: Db['commit'] = async (all) => {
      if (removals >= 3) throw new Error('stopped');
      removals += all.filter((it) => it.kind === 'remove').length;
      return world.db.commit(all);
    };
    const stopped = { ...world, db: { ...world.db, commit } };

    await expect(repairLedger(stopped, house.tenantId, report)).rejects.toThrow('stopped');

    const left = new Set((await copy()).statements.map((it) => `${it.pk} ${it.sk}`));
    const gone = late.statements.filter((it) => !left.has(`${it.pk} ${it.sk}`));
    expect(gone).toHaveLength(3);
    for (const line of gone) {
      const account = String(line.pk).split('#')[1] ?? '';
      const loss = `lost: ${line.txn ?? line.hld}: the journal lacks it; its statement line said`;
      const said = printed.filter((it) => it.startsWith(loss) && it.includes(` on ${account} `));
      expect(said).toHaveLength(1);
    }
  });

  it('names a record that cannot be read, leaves its lines, and repairs all the rest', async () => {
    const early = await copy();
    await goOn();
    const late = await copy();
    await restore({ ...late, outbox: early.outbox, statements: early.statements });
    const unreadable = [
      { id: past.transfer, change: { legs: 'none' } },
      { id: past.voided, change: { amount: 'none' } },
    ];
    for (const { id, change } of unreadable) {
      await house.tamperRecord(id, (it) => ({ ...it, ...change }));
    }

    const { mends, losses } = await repair();

    expect(mends).toEqual({ 'missing event': 6, 'missing line': 10 });
    for (const { id } of unreadable) {
      expect(losses).toContain(`${id}: its record cannot be read`);
    }
    expect(losses.filter((it) => it.includes('its statement line said'))).toEqual([]);
    const { statements } = await copy();
    expect(statements).toHaveLength(late.statements.length);
    expect(statements).toEqual(expect.arrayContaining([...late.statements]));
  });

  it('puts the total of a shard right that was left by a repair which was stopped', async () => {
    const early = await copy();
    const { ledger } = house;
    // Nothing but lost records has moved this account.
    const fees = await ledger.open({ mode: 'derived' });
    const opened = await copy();
    const money = { amount: '5', currency: 'EUR' };
    const move = { type: 'transfer', sourceAccountId: past.a, destinationAccountId: fees };
    expect((await ledger.post('/v1/transactions', { ...move, ...money })).status).toBe(201);
    await house.project();
    const late = await copy();
    expect(late.statements.length).toBeGreaterThan(early.statements.length);
    await restore({ ...late, ledger: opened.ledger, outbox: opened.outbox });
    let isStopped = false;
    const commit: Db['commit'] = async (all) => {
      if (isStopped) throw new Error('stopped');
      isStopped = all.some((it) => it.kind === 'remove' && it.key.pk.includes(fees));
      return world.db.commit(all);
    };
    await expect(repair(false, { ...world.db, commit })).rejects.toThrow('stopped');

    const { mends } = await repair();

    expect(mends).toEqual({ 'wrong total': 1 });
    expect(await violations()).toEqual([]);
  });

  it('names an account that is gone, and one that no list has, in a dry run as well', async () => {
    for (const sk of ['#', 'M']) {
      const key = { ...accountKey(house.tenantId, past.b), sk };
      await house.tamper('ledger', key, () => undefined);
    }
    await house.tamper('ledger', accountKey(house.tenantId, past.a), (it) => ({
      ...it,
      listingSk: undefined,
    }));

    for (const dryRun of [true, false]) {
      const { mends, losses } = await repair(dryRun);

      expect(mends).toEqual({});
      for (const [id, what] of [
        [past.b, 'the account is not there, and '],
        [past.a, 'no list of accounts has it at its time, and '],
      ]) {
        expect(losses.filter((it) => it.startsWith(`${id}: ${what}`))).toHaveLength(1);
        const isFound = losses.some((it) => it.startsWith(`${id}: L3: ${what}`));
        expect(isFound).toBe(!dryRun);
      }
    }
  });

  it('finds nothing to do where all is well', async () => {
    const before = await copy();
    expect(await repair()).toEqual({ mends: {}, losses: [] });
    expect(await copy()).toEqual(before);
  });
});

it('leaves to others what they have put right first', async () => {
  const key = journalKey(house.tenantId, past.transfer);
  const write = {
    kind: 'put',
    table: 'ledger' as TableName,
    item: { ...key },
    condition: 'attribute_not_exists(pk)',
  } as const;
  const heard: string[] = [];
  const how = { dryRun: false, mended: (what: string) => heard.push(what), lost: () => undefined };
  await repairOne(world, how, { what: 'missing event', id: 'evt_', writes: [write] });
  expect(heard).toEqual([]);
  expect(
    (await scanTable(world.client, world.tables.ledger, house.tenantId)).length,
  ).toBeGreaterThan(10);
});
