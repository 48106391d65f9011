import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { HoldMessage } from '../../functions/ledger/hold-message.ts';
import { remindOfHolds } from '../../functions/ledger/remind-of-holds.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { SOON_MS } from '../../functions/timers/due.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { faultsOf, type LedgerClient, ledgerClient, told } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  world.sent.splice(0);
  ledger = ledgerClient(world, newTenant(world));
  a = await ledger.open({}, '1000');
});

interface Made {
  readonly id: string;
  readonly expiresAtMs: number;
  readonly message: { readonly pk: string; readonly dueMs: number };
}

async function holdFor(ms: number): Promise<Made> {
  const expiresAtMs = world.clock.nowMs() + ms;
  const expiresAt = new Date(expiresAtMs).toISOString();
  const hold = { accountId: a, amount: '100', currency: 'EUR', expiresAt };
  const { status, body } = await ledger.post('/v1/holds', hold);
  expect(status).toBe(201);
  const pk = `${ledger.tenantId}#${body.id.slice('hld_'.length)}`;
  return { id: body.id, expiresAtMs, message: { pk, dueMs: expiresAtMs } };
}

const shown = async (id: string) => (await ledger.get(`/v1/holds/${id}`)).body;
const aside = async () => (await ledger.account(a)).held;

describe('the expiry of a hold', () => {
  // A message may come early by up to three seconds, and then waits; further off it does nothing.
  it.each([
    [-3_001, 'pending', 0],
    [-3_000, 'expired', 3_000],
    [-1, 'expired', 1],
    [0, 'expired', 0],
    [86_400_000, 'expired', 0],
  ])('by a message that comes %i ms after its time: %s', async (ms, status, waitsMs) => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs + ms);

    await expireHold(message, world);

    const hold = await shown(id);
    expect([hold.status, await aside()]).toEqual([status, status === 'expired' ? '0' : '100']);
    expect(world.clock.nowMs() - expiresAtMs - ms).toBe(waitsMs);
    if (status === 'expired') {
      expect(Date.parse(String(hold.resolvedAt))).toBeGreaterThanOrEqual(expiresAtMs);
    }
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('happens once, however often the message comes, also at the same time', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs);

    await Promise.all(Array.from({ length: 5 }, () => expireHold(message, world)));
    await expireHold(message, world);

    expect((await shown(id)).status).toBe('expired');
    expect((await ledger.account(a)).version).toBe(3);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it.each([
    ['captured', 'capture', { destinationAccountId: '@world' }],
    ['voided', 'void', undefined],
  ])('leaves a hold alone that is %s', async (status, verb, body) => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    await ledger.post(`/v1/holds/${id}/${verb}`, body);
    world.clock.set(expiresAtMs);

    await expireHold(message, world);

    expect((await shown(id)).status).toBe(status);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('loses against a void that comes in between', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs);
    let isDone = false;
    const commit: Db['commit'] = async (writes) => {
      if (!isDone) await ledger.post(`/v1/holds/${id}/void`);
      isDone = true;
      return world.db.commit(writes);
    };

    await expireHold(message, { ...world, db: { ...world.db, commit } });

    expect((await shown(id)).status).toBe('voided');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('passes on a frozen account', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    await ledger.patch(`/v1/accounts/${a}`, { status: 'frozen' });
    world.clock.set(expiresAtMs);

    await expireHold(message, world);

    expect([(await shown(id)).status, await aside()]).toEqual(['expired', '0']);
  });

  it('takes a void and a capture that come after it as hold_resolved', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs);
    await expireHold(message, world);

    expect(told(await ledger.post(`/v1/holds/${id}/void`))).toBe('409 hold_resolved');
    expect(told(await ledger.post(`/v1/holds/${id}/capture`, {}))).toBe('409 hold_resolved');
  });

  it('sends its message again in one to five seconds where others are in the way', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs);
    const commit: Db['commit'] = async (writes) => ({
      ok: false,
      reasons: writes.map(() => ({ code: 'conflict' })),
    });

    await expireHold(message, { ...world, db: { ...world.db, commit } });

    const [again] = world.sent;
    expect(world.sent).toHaveLength(1);
    expect(again).toMatchObject({ queue: 'hold-expiry', body: { v: 1, ...message, sk: '#' } });
    const waitMs = (again?.atMs ?? 0) - world.clock.nowMs();
    expect(waitMs).toBeGreaterThanOrEqual(SECOND_MS);
    expect(waitMs).toBeLessThanOrEqual(5 * SECOND_MS);
    expect((await shown(id)).status).toBe('pending');
    await expireHold(HoldMessage.parse(again?.body), world);
    expect((await shown(id)).status).toBe('expired');
  });

  it('heals by the next message after its answer was lost', async () => {
    const { id, expiresAtMs, message } = await holdFor(5_000);
    world.clock.set(expiresAtMs);
    const commit: Db['commit'] = async (writes) => {
      await world.db.commit(writes);
      throw new Error('lost');
    };

    await expect(expireHold(message, { ...world, db: { ...world.db, commit } })).rejects.toThrow(
      'lost',
    );
    await expireHold(message, world);

    expect((await shown(id)).status).toBe('expired');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('is due five years ahead at the latest, and the sweeper can read that', async () => {
    const { id, expiresAtMs } = await holdFor(5 * 365 * DAY_MS);
    const { ledger: items } = await takeSnapshot(world.client, world.tables);

    const due = new Date(expiresAtMs).toISOString().slice(0, 16).replaceAll(/[-T:]/g, '');
    const item = items.find((it) => it.id === id);
    expect(item?.duePk).toMatch(new RegExp(`^${due}#`));
    expect(item?.dueSk).toMatch(new RegExp(`^${expiresAtMs}#`));
  });

  it('is refused further ahead, but not to one who made it before', async () => {
    const expiresAt = new Date(world.clock.nowMs() + 5 * 365 * DAY_MS).toISOString();
    const terms = { accountId: a, amount: '100', currency: 'EUR', expiresAt };
    const first = await ledger.post('/v1/holds', terms, 'far');
    world.clock.advance(-1);

    const again = await ledger.post('/v1/holds', terms, 'far');
    const other = await ledger.post('/v1/holds', terms, 'other');

    expect([told(first), told(again), again.replayed]).toEqual(['201', '201', true]);
    expect(told(other)).toBe('422 validation_failed');
    expect(other.body.errors).toMatchObject([{ pointer: '/expiresAt' }]);
  });

  it('ends all of the holds that expire on one account at the same time', async () => {
    const holds: Made[] = [];
    for (let n = 0; n < 8; n += 1) holds.push(await holdFor(5_000));
    world.clock.set(Math.max(...holds.map((it) => it.expiresAtMs)));

    let messages = holds.map((it) => it.message);
    while (messages.length > 0) {
      await Promise.all(messages.map((it) => expireHold(it, world)));
      messages = world.sent.splice(0).map((it) => HoldMessage.parse(it.body));
    }

    const statuses = await Promise.all(holds.map(async ({ id }) => (await shown(id)).status));
    expect(new Set(statuses)).toEqual(new Set(['expired']));
    expect(await ledger.account(a)).toMatchObject({ held: '0', available: '1000', version: 17 });
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('has nothing to do for what is no hold any more', async () => {
    await expireHold({ pk: `${ledger.tenantId}#${'0'.repeat(26)}`, dueMs: 1 }, world);

    expect(world.sent).toEqual([]);
  });
});

describe('the reminder of a new hold', () => {
  const records = async () => {
    const { outbox } = await takeSnapshot(world.client, world.tables);
    return outbox
      .filter((it) => it.tenant === ledger.tenantId)
      .map((item, n) => ({ item, sequenceNumber: String(n) }));
  };

  it.each([
    [SOON_MS, 1],
    [SOON_MS + 1, 0],
    [1, 1],
  ])('of %i ms is sent at once: %i', async (ms, count) => {
    const { message } = await holdFor(ms);

    await remindOfHolds(await records(), world);

    const wanted = { queue: 'hold-expiry', body: { v: 1, ...message, sk: '#' } };
    expect(world.sent).toMatchObject(count === 1 ? [wanted] : []);
  });

  it('is none for a hold that never expires', async () => {
    await ledger.post('/v1/holds', { accountId: a, amount: '1', currency: 'EUR' });

    await remindOfHolds(await records(), world);

    expect(world.sent).toEqual([]);
  });
});

describe('the sweeper', () => {
  it('sends the message of a hold whose reminder was lost, and none once it is over', async () => {
    await sweepTable('ledger', world);
    const { id, expiresAtMs, message } = await holdFor(10 * MINUTE_MS);
    const mine = () => world.sent.splice(0).filter((it) => it.body.pk === message.pk);
    await sweepTable('ledger', world);
    expect(mine()).toEqual([]);

    world.clock.set(expiresAtMs - MINUTE_MS);
    await sweepTable('ledger', world);
    const [first, ...others] = mine();
    expect(others).toEqual([]);
    expect(first).toMatchObject({ queue: 'hold-expiry', body: { ...message } });
    expect(first?.atMs).toBeGreaterThan(expiresAtMs - 3 * SECOND_MS);
    expect(first?.atMs).toBeLessThanOrEqual(expiresAtMs);
    world.clock.set(expiresAtMs);
    await expireHold(HoldMessage.parse(first?.body), world);

    world.clock.advance(2 * MINUTE_MS);
    await sweepTable('ledger', world);
    expect([mine(), (await shown(id)).status]).toEqual([[], 'expired']);
  });
});
