import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OFFENDERS_MAX } from '../../functions/audit/audit.ts';
import { accountKey } from '../../functions/ledger/account.store.ts';
import {
  insertShardLines,
  lineKey,
  STATEMENT_SHARDS,
  shardPartitions,
} from '../../functions/ledger/statement.store.ts';
import { listShardedLines } from '../../functions/ledger/statement-list.store.ts';
import { shardOf } from '../../functions/shared/ids/derive.ts';
import { DAY_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { AuditHouse, foundBy, makePast, type Past } from './audit-house.ts';

let world: TestWorld;
let house: AuditHouse;
let past: Past;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  house = new AuditHouse(world);
  past = await makePast(house);
});

const CLEAN = { counted: [], offenders: [] };

/** How much was looked at, and in how many steps. */
async function looked(auditId: string) {
  const { checked, step } = await house.find(auditId);
  return { checked, step };
}

describe('an audit of a true history', () => {
  it('finds nothing, and counts what it has looked at', async () => {
    await house.settle();

    const audit = await house.audit();

    expect(foundBy(audit)).toEqual(CLEAN);
    expect(audit).toMatchObject({ status: 'clean', undecided: 0, dueMs: undefined });
    const [ledger, statements] = [await house.items('ledger'), await house.items('statements')];
    const count = (prefix: string) =>
      ledger.filter((it) => String(it.id).startsWith(prefix)).length;
    const posted = ledger.filter((it) => it.status === 'posted').length;
    expect(audit.checked).toEqual({
      accounts: count('acc_'),
      entries: statements.filter((it) => it.sk !== 'TOTAL').length,
      transactions: posted,
      holds: count('hld_') + count('rel_'),
      events: posted + count('hld_') + count('rel_'),
    });
    expect(house.alarms).toEqual([]);
  });

  it('is clean without its old events: they live for 32 days', async () => {
    await house.settle();
    world.clock.advance(33 * DAY_MS);
    for (const { pk, sk } of await house.items('outbox')) {
      await house.tamper('outbox', { pk: String(pk), sk: String(sk) }, () => undefined);
    }

    const audit = await house.audit();

    expect(foundBy(audit)).toEqual(CLEAN);
    expect(audit.checked.events).toBe(0);
  });
});

describe('a step', () => {
  beforeEach(() => house.settle());

  it('is small, and many of them come to what one comes to', async () => {
    const whole = await house.audit();
    const { id } = await house.begin();
    const gains: number[] = [];
    let before = 0;
    for (let [message] = house.messages(); message; [message] = house.messages()) {
      await house.deliver(message, { rowsMax: 1, timeMaxMs: 20_000 });
      const { checked } = await house.find(id);
      const rows = Object.values(checked).reduce((sum, it) => sum + it, 0);
      gains.push(rows - before);
      before = rows;
    }

    const parts = await house.find(id);
    expect(parts.checked).toEqual(whole.checked);
    expect(foundBy(parts)).toEqual(CLEAN);
    expect([whole.step, parts.step]).toEqual([1, gains.length]);
    expect(parts.step).toBeGreaterThan(50);
    // Five accounts are in the works at once, and each of them may do one row and be done.
    expect(Math.max(...gains)).toBeLessThanOrEqual(10);
  });

  it('ends in time, however much is left', async () => {
    const { id } = await house.begin();
    const [message] = house.messages();
    if (!message) throw new Error('no message');
    const { query } = world.db;
    const slow: Db = {
      ...world.db,
      query: async (it) => {
        world.clock.advance(3_000);
        return query(it);
      },
    };
    const startMs = world.clock.nowMs();
    const slowly = new AuditHouse({ ...world, db: slow });
    await slowly.deliver(message);

    expect(world.clock.nowMs() - startMs).toBeLessThan(60_000);
    expect(await looked(id)).toMatchObject({ step: 1 });
    expect((await house.finish(id)).status).toBe('clean');
  });

  it('counts once when its message comes twice, at once or later', async () => {
    const whole = await house.audit();
    const { id } = await house.begin();
    const size = { rowsMax: 5, timeMaxMs: 20_000 };
    const old: Parameters<AuditHouse['deliver']>[0][] = [];
    for (;;) {
      const messages = house.messages();
      const [message] = messages;
      if (!message) break;
      expect(messages).toHaveLength(1);
      const copies = [message, message, ...old.slice(-2)];
      await Promise.all(copies.map((it) => house.deliver(it, size)));
      old.push(message);
    }
    for (const message of old) await house.deliver(message, size);

    const audit = await house.find(id);
    expect(audit.status).toBe('clean');
    expect(audit.checked).toEqual(whole.checked);
    expect(audit.step).toBe(old.length);
  });

  it('that dies before it is saved is taken again, and counted once', async () => {
    const whole = await house.audit();
    const { id } = await house.begin();
    const dying = new AuditHouse({
      ...world,
      db: { ...world.db, commit: () => Promise.reject(new Error('killed')) },
    });
    const size = { rowsMax: 20, timeMaxMs: 20_000 };
    for (let [message] = house.messages(); message; [message] = house.messages()) {
      const body = message;
      await expect(dying.deliver(body, size)).rejects.toThrow('killed');
      await house.deliver(body, size);
    }

    const audit = await house.find(id);
    expect(audit.status).toBe('clean');
    expect(audit.checked).toEqual(whole.checked);
  });

  it('whose message got lost is brought back by the sweeper, and by nobody before', async () => {
    await sweepTable('control', world);
    house.messages();
    const { id } = await house.begin();
    const size = { rowsMax: 40, timeMaxMs: 20_000 };
    let swept = 0;
    for (let ticks = 0; (await house.find(id)).status === 'running'; ticks += 1) {
      expect(ticks).toBeLessThan(20);
      // Whatever a step sends is lost; the sweeper alone goes on.
      house.messages();
      const before = (await house.find(id)).step;
      await sweepTable('control', world);
      for (const message of house.messages()) {
        expect(message.body.step).toBeUndefined();
        await house.deliver(message, size);
        swept += 1;
      }
      expect((await house.find(id)).step - before).toBeLessThanOrEqual(1);
      world.clock.advance(3 * MINUTE_MS);
    }

    expect((await house.find(id)).status).toBe('clean');
    expect(swept).toBeGreaterThan(2);
  });

  it('finds in many steps what one finds', async () => {
    const { transfer, reversal, voided, a } = past;
    await house.tamperRecord(transfer, (it) => ({ ...it, postings: [] }));
    await house.tamperRecord(reversal, (it) => ({ ...it, reverses: undefined }));
    await house.tamperRecord(voided, (it) => ({ ...it, release: undefined }));
    await house.tamper('ledger', accountKey(house.tenantId, a), (it) => ({ ...it, hash: 'no' }));
    await house.tamper('statements', await house.lineKey(a, 4), () => undefined);

    const whole = await house.audit();
    const parts = await house.audit({ rowsMax: 1, timeMaxMs: 20_000 });

    expect(whole.violations).toMatchObject({ L1: 1, L4: 1, L5: 4 });
    expect(parts.violations).toEqual(whole.violations);
    expect(foundBy(parts).offenders.toSorted()).toEqual(foundBy(whole).offenders.toSorted());
  });

  it('keeps the first offenders and counts all', async () => {
    const accounts = await Promise.all(
      Array.from({ length: OFFENDERS_MAX + 5 }, () => house.ledger.open()),
    );
    for (const id of accounts) {
      await house.tamper('ledger', accountKey(house.tenantId, id), (it) => ({ ...it, avail: 1 }));
    }

    const audit = await house.audit({ rowsMax: 7, timeMaxMs: 20_000 });

    expect(audit.violations.L3).toBe(OFFENDERS_MAX + 5);
    expect(audit.offenders).toHaveLength(OFFENDERS_MAX);
    expect(house.alarms).toEqual([OFFENDERS_MAX + 5]);
  });
});

describe('an audit whose worker dies when it has found violations', () => {
  const ALARM = 2;

  /** Its writes get through, and nothing after them. */
  const dying = (): AuditHouse => {
    const commit: Db['commit'] = async (writes) => {
      await world.db.commit(writes);
      throw new Error('killed');
    };
    return new AuditHouse({ ...world, db: { ...world.db, commit } });
  };

  beforeEach(async () => {
    await house.settle();
    await house.tamperRecord(past.reversal, (it) => ({ ...it, reverses: undefined }));
  });

  it('alarms when its last message comes again', async () => {
    const { id } = await house.begin();
    const [message] = house.messages();
    if (!message) throw new Error('no message');
    await expect(dying().deliver(message)).rejects.toThrow('killed');
    expect(await house.find(id)).toMatchObject({ status: 'violated', step: 1 });

    await house.deliver(message);

    expect(house.alarms).toEqual([ALARM]);
  });

  it('alarms when the sweeper had brought it back', async () => {
    const { id } = await house.begin();
    house.messages();
    const { dueMs = 0 } = await house.find(id);
    world.clock.set(dueMs);
    let writes = 0;
    const commit: Db['commit'] = async (all) => {
      writes += 1;
      const answer = await world.db.commit(all);
      return writes === 2 ? Promise.reject(new Error('killed')) : answer;
    };
    const second = new AuditHouse({ ...world, db: { ...world.db, commit } });
    await expect(second.deliver(house.due(id))).rejects.toThrow('killed');
    expect((await house.find(id)).status).toBe('violated');

    await house.deliver(house.due(id));

    expect(house.alarms).toEqual([ALARM]);
  });

  it('alarms although another worker has got the same message, and lost', async () => {
    await house.begin();
    const [message] = house.messages();
    if (!message) throw new Error('no message');
    const late = { ...world.db };
    late.commit = async (writes) => {
      await dying()
        .deliver(message)
        .catch(() => undefined);
      return world.db.commit(writes);
    };
    const loser = new AuditHouse({ ...world, db: late });

    await loser.deliver(message);

    expect(loser.alarms).toEqual([ALARM]);
  });

  it('does not alarm for messages of its older steps', async () => {
    const { id } = await house.begin();
    const [first] = house.messages();
    if (!first) throw new Error('no message');
    await house.deliver(first, { rowsMax: 1, timeMaxMs: 20_000 });
    await house.finish(id);
    expect(house.alarms).toEqual([ALARM]);

    await house.deliver(first);

    expect(house.alarms).toEqual([ALARM]);
  });
});

describe('a statement that is behind', () => {
  it('is waited for', async () => {
    const { id } = await house.begin();
    const [first] = house.messages();
    if (!first) throw new Error('no message');
    await house.deliver(first);
    const [second] = house.messages();

    expect(second?.atMs).toBe(world.clock.nowMs() + 1_000);
    expect(await house.find(id)).toMatchObject({ status: 'running', violations: { L3: 0 } });
    await house.project();
    if (second) await house.deliver(second);
    expect(foundBy(await house.finish(id))).toEqual(CLEAN);
  });

  it('is a violation after ten minutes', async () => {
    const startMs = world.clock.nowMs();
    const audit = await house.audit();

    expect(world.clock.nowMs() - startMs).toBeGreaterThan(7 * MINUTE_MS);
    expect(foundBy(audit).counted).toEqual(['L3']);
    expect(audit.offenders.map((it) => it.id)).toEqual(
      expect.arrayContaining([past.a, past.b, past.poor]),
    );
  });
});

describe('a total of a derived account that moves whenever it is read', () => {
  /** An id of a transaction that lies in the shard. */
  const sourceFrom = (from: number) =>
    Array.from({ length: 1_000 }, (_, n) => `txn_${from + n}`).find(
      (id) => shardOf(id, STATEMENT_SHARDS) === 0,
    );
  const statement = () => ({ tenantId: house.tenantId, accountId: past.fees, currency: 'EUR' });
  const insert = async (transactionId: string | undefined) => {
    const line = { ...statement(), type: 'fee', amount: 1n, atMs: world.clock.nowMs() };
    const commit = await world.db.commit(insertShardLines([{ ...line, transactionId }]));
    expect(commit.ok).toBe(true);
  };

  /** An audit, while a line is added each time that the shard is read; and how many were. */
  async function auditBusily(): Promise<{ id: string; made: number }> {
    const partition = shardPartitions(statement())[0];
    let made = 0;
    const busy: Db = {
      ...world.db,
      query: async (it) => {
        const page = await world.db.query(it);
        if (it.pk !== partition) return page;
        await insert(sourceFrom(made * 1_000));
        made += 1;
        return page;
      },
    };
    const { id } = await house.begin();
    const [message] = house.messages();
    if (!message) throw new Error('no message');
    const others = new AuditHouse({ ...world, db: busy });
    await others.deliver(message);
    return { id, made };
  }

  it('is undecided, and no violation', async () => {
    await house.settle();
    const { id, made } = await auditBusily();

    expect(await house.find(id)).toMatchObject({ status: 'clean', undecided: 1 });
    expect(made).toBeGreaterThan(3);
  });

  it('leaves what its lines tell of nothing counted once', async () => {
    await insert(sourceFrom(1_000_000));
    await house.settle();
    const { id } = await auditBusily();

    const audit = await house.find(id);
    expect(audit).toMatchObject({ status: 'violated', undecided: 1, violations: { L3: 1 } });
    expect(audit.offenders).toHaveLength(1);
  });
});

it('finds no fault in a total whose last line does not show yet', async () => {
  await house.settle();
  const statement = { tenantId: house.tenantId, accountId: past.fees, currency: 'EUR' };
  const [line] = await listShardedLines(world.db, statement, { limit: 1 });
  const late = line && lineKey(line);
  const { id } = await house.begin();
  const untilMs = world.clock.nowMs() + 30;
  const query: Db['query'] = async (it) => {
    const page = await world.db.query(it);
    const isLate = it.pk === late?.pk && world.clock.nowMs() < untilMs;
    return isLate ? { ...page, items: page.items.filter(({ sk }) => sk !== late.sk) } : page;
  };
  const [message] = house.messages();
  if (!message) throw new Error('no message');
  await new AuditHouse({ ...world, db: { ...world.db, query } }).deliver(message);

  expect(await house.find(id)).toMatchObject({ status: 'clean', undecided: 0 });
  expect(world.clock.nowMs()).toBeGreaterThanOrEqual(untilMs);
});

describe('an audit that is asked for', () => {
  beforeEach(() => house.settle());

  it('is one at a time', async () => {
    const { id } = await house.begin();

    await expect(house.begin()).rejects.toMatchObject({
      code: 'conflict',
      message: `${id} is running. Wait for its end: there is one at a time.`,
    });
    await house.finish(id);
    const next = await house.begin();
    expect(next.id).not.toBe(id);
    await house.finish(next.id);
  });

  it.each(['is not there', 'is at its end'])(
    'begins over a marker whose audit %s',
    async (what) => {
      const isAbsent = what === 'is not there';
      const before = isAbsent ? world.ids.next('aud') : (await house.audit()).id;
      // A restore took its commit apart.
      const marker = { pk: house.tenantId, sk: 'AUD', v: 1, audit: before };
      await world.db.commit([{ kind: 'put', table: 'control', item: marker }]);

      const [first, second] = await Promise.allSettled([house.begin(), house.begin()]);

      const begun = [first, second].flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
      expect(begun).toHaveLength(1);
      const { id = '' } = begun[0] ?? {};
      expect(await world.db.get('control', marker)).toMatchObject({ audit: id });
      const refused = [first, second].find((it) => it.status === 'rejected');
      expect(refused).toMatchObject({
        reason: { message: `${id} is running. Wait for its end: there is one at a time.` },
      });
      expect((await house.finish(id)).status).toBe('clean');
      expect((await house.audit()).status).toBe('clean');
    },
  );

  it('is one at a time while the commit of the other shows in its marker only', async () => {
    const { id } = await house.begin();
    const untilMs = world.clock.nowMs() + 30;
    const isLate = (sk: string) => sk === `AUD#${id}` && world.clock.nowMs() < untilMs;
    const get: Db['get'] = async (table, key) =>
      isLate(key.sk) ? undefined : world.db.get(table, key);
    const late = new AuditHouse({ ...world, db: { ...world.db, get } });
    const { tenantId } = house;

    await expect(Object.assign(late, { tenantId }).begin()).rejects.toMatchObject({
      message: `${id} is running. Wait for its end: there is one at a time.`,
    });
    expect((await house.finish(id)).status).toBe('clean');
  });

  it('again with the same key is the same one, running or not', async () => {
    const first = await house.begin('key-1');
    expect(await house.begin('key-1')).toEqual({ ...first, replayed: true });
    await house.finish(first.id);

    expect(await house.begin('key-1')).toEqual({ ...first, status: 'clean', replayed: true });
    await expect(house.begin('key-1', 'v1:other')).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
    expect(house.messages()).toEqual([]);
  });

  it('begins although its message could not be sent: the sweeper has it', async () => {
    await sweepTable('control', world);
    const down = new AuditHouse({
      ...world,
      queues: { send: () => Promise.reject(new Error('down')) },
    });
    const { id } = await down.begin();

    world.clock.advance(3 * MINUTE_MS);
    await sweepTable('control', world);
    const [message] = house.messages();
    expect(message?.body).toMatchObject({ sk: `AUD#${id}` });
    if (message) await house.deliver(message);
    expect((await down.find(id)).status).toBe('clean');
  });
});
