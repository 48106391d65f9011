import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import { type Meters, seriesOf } from '../../functions/shared/meters.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { costOf } from '../support/cost.ts';
import type { Ask } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import {
  eventsOf,
  type InboxWorld,
  inboxClient,
  inboxFaults,
  inboxWorld,
  takeIn,
  work,
} from './inbox-house.ts';

let world: InboxWorld;
let tenantId: string;
let ask: Ask;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
});

const faults = () => inboxFaults(world);
const shown = async (id: string) => (await ask(`GET /v1/webhooks/${id}`)).body;

const received = (terms: object = {}) => takeIn({ ask, world }, { terms });

/** Doors whose transactions fail so often. */
function failing(times: number, error: Error = new Problem('unavailable')): InboxWorld {
  let left = times;
  const commit: Db['commit'] = async (writes) => {
    if (writes.length < 2 || left === 0) return world.db.commit(writes);
    left -= 1;
    throw error;
  };
  return { ...world, db: { ...world.db, commit } };
}

/** Doors in which another transaction is in the way so often. */
function conflicting(times: number): InboxWorld {
  let left = times;
  const commit: Db['commit'] = async (writes) => {
    if (writes.length < 2 || left === 0) return world.db.commit(writes);
    left -= 1;
    const last = writes.length - 1;
    const reasons = writes.map((_, n) => ({ code: n === last ? 'conflict' : 'none' }) as const);
    return { ok: false, reasons };
  };
  return { ...world, db: { ...world.db, commit } };
}

const deadline = () => ({ deadlineMs: world.clock.nowMs() + 30 * SECOND_MS });

describe('a receipt whose processing fails', () => {
  it('waits and is tried again, shows why, and completes', async () => {
    const { id, message } = await received({ maxBacklog: 3 });
    await forwardReceipt(message, failing(1, new Error('x')), deadline());
    const after = await shown(id);
    expect(after).toMatchObject({
      status: 'pending',
      lastError: 'internal',
      attempts: [{ n: 1, error: 'internal' }],
    });
    const [again] = world.sent;
    const nextMs = Date.parse(String(after.nextAt));
    expect(again).toMatchObject({ queue: 'inbox', atMs: nextMs });
    expect(nextMs - NOON_MS).toBeLessThanOrEqual(5 * SECOND_MS);
    expect(await faults()).toEqual([]);

    world.clock.set(nextMs);
    await work(world);
    const { attempts, status, lastError } = await shown(id);
    expect([status, lastError]).toEqual(['completed', 'internal']);
    expect(attempts).toMatchObject([{ n: 1, error: 'internal' }, { n: 2 }]);
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
    expect(await faults()).toEqual([]);
  });

  it('has failed after five attempts under full jitter with a cap, and is not open', async () => {
    const { id, message } = await received({ maxBacklog: 1, overflow: 'reject' });
    const retryPlan = { maxAttempts: 5, baseSeconds: 5, maxSeconds: 12 };
    const ids = { ...world.ids, random: () => 0.999 };
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      const startMs = world.clock.nowMs();
      const doors = { ...failing(1, new Error('x')), retryPlan, ids };
      await forwardReceipt(message, doors, deadline());
      const nextMs = Date.parse(String((await shown(id)).nextAt));
      waits.push(Math.round((nextMs - startMs) / SECOND_MS));
      world.clock.set(nextMs);
    }
    expect(waits).toEqual([5, 10, 12, 12]);
    await forwardReceipt(message, { ...failing(1, new Error('x')), retryPlan }, deadline());
    const failed = await shown(id);
    expect(failed).toMatchObject({ status: 'failed', lastError: 'internal' });
    expect(failed.attempts).toHaveLength(5);
    expect(failed.failedAt).toBeDefined();
    expect(failed.nextAt).toBeUndefined();
    const { data } = (await ask('GET /v1/webhooks?status=failed')).body;
    expect(data.map((it) => it.id)).toEqual([id]);
    await forwardReceipt(message, world, deadline());
    expect(await eventsOf(world, tenantId)).toEqual([]);
    expect(await faults()).toEqual([]);
  });

  it('that ends as failed rings, once, and one that is held up does not', async () => {
    const { message } = await received({ maxBacklog: 1 });
    const rung: unknown[][] = [];
    const metrics = { count: (...it: unknown[]) => void rung.push(it) };
    await forwardReceipt(message, { ...conflicting(6), metrics }, deadline());
    for (let n = 0; n < 6; n += 1) {
      expect(rung).toEqual(n < 5 ? [] : [['WebhooksFailed']]);
      world.clock.advance(400 * SECOND_MS);
      const doors = { ...failing(1, new Error('x')), metrics };
      await forwardReceipt(message, doors, deadline());
    }
    expect(rung).toEqual([['WebhooksFailed']]);
  });

  it.each([
    ['busy', conflicting],
    ['unavailable', failing],
  ])('never fails because of others or an outage (%s), however long', async (code, doors) => {
    const { id, message } = await received({ maxBacklog: 3 });
    for (let n = 0; n < 12; n += 1) {
      const startMs = world.clock.nowMs();
      await forwardReceipt(message, doors(6), deadline());
      const after = await shown(id);
      expect(after).toMatchObject({ status: 'pending', lastError: code });
      expect(after.attempts).toMatchObject([{ n: 1, error: code }]);
      const nextMs = Date.parse(String(after.nextAt));
      expect(nextMs - startMs).toBeGreaterThanOrEqual(5 * SECOND_MS);
      expect(nextMs - startMs).toBeLessThanOrEqual(15 * SECOND_MS);
      world.clock.set(nextMs);
    }
    for (let n = 0; n < 4; n += 1) {
      await forwardReceipt(message, failing(1, new Error('x')), deadline());
      world.clock.set(Date.parse(String((await shown(id)).nextAt)));
    }
    await forwardReceipt(message, doors(6), deadline());
    world.clock.advance(15 * SECOND_MS);
    await forwardReceipt(message, world, deadline());
    const ended = await shown(id);
    const failed = Array.from({ length: 4 }, () => ({ error: 'internal' }));
    const attempts = [{ error: code }, ...failed, { error: code }, { n: 7 }];
    expect(ended).toMatchObject({ status: 'completed', attempts });
    expect(await faults()).toEqual([]);
  });

  it('is not tried before its time, by whatever message', async () => {
    const { id, message } = await received();
    await forwardReceipt(message, failing(1), deadline());
    await forwardReceipt(message, world, deadline());
    expect((await shown(id)).attempts).toHaveLength(1);
  });
});

describe('a worker that dies', () => {
  const dying = () => {
    const commit: Db['commit'] = async (writes) => {
      if (writes.length < 2) return world.db.commit(writes);
      throw new Error('killed');
    };
    const db = { ...world.db, commit };
    // Dead ones write nothing more, not even that they failed.
    const dead: Db['commit'] = async (writes) => {
      const [first] = writes;
      const isClaim = first?.kind === 'update' && first.update.includes('claimEnd = :until');
      if (isClaim) return commit(writes);
      throw new Error('killed');
    };
    return { ...world, db: { ...db, commit: dead } };
  };

  it('after its claim loses nothing: another one has it when its lease is over', async () => {
    const { id, message } = await received();
    await expect(forwardReceipt(message, dying(), deadline())).rejects.toThrow('killed');
    expect((await shown(id)).status).toBe('processing');
    world.clock.advance(35 * SECOND_MS);
    await forwardReceipt(message, world, deadline());
    expect((await shown(id)).status).toBe('processing');
    world.clock.advance(1);
    await forwardReceipt(message, world, deadline());
    expect(await shown(id)).toMatchObject({
      status: 'completed',
      attempts: [{ n: 1, error: 'worker_lost' }, { n: 2 }],
    });
    expect(await faults()).toEqual([]);
  });

  it('at every attempt ends as failed, and not in a circle', async () => {
    const { id, message } = await received();
    for (let n = 0; n < 5; n += 1) {
      await expect(forwardReceipt(message, dying(), deadline())).rejects.toThrow('killed');
      world.clock.advance(36 * SECOND_MS);
    }
    const counted: string[] = [];
    const count: Meters['count'] = (name, labels) => void counted.push(seriesOf(name, labels));
    const meters = { ...world.meters, count };
    await forwardReceipt(message, { ...world, meters }, deadline());
    const failed = await shown(id);
    expect(failed).toMatchObject({ status: 'failed', lastError: 'worker_lost' });
    expect(failed.attempts).toHaveLength(5);
    expect(counted).toEqual([
      'webhook_processing_errors_total|worker_lost',
      'webhook_processed_total|failed',
    ]);
    expect(await eventsOf(world, tenantId)).toEqual([]);
  });

  it('and comes back too late changes nothing: the other one has sent the event', async () => {
    const { id, message } = await received({ maxBacklog: 5 });
    const commit: Db['commit'] = async (writes) => {
      if (writes.length >= 2 && !isOvertaken) {
        isOvertaken = true;
        world.clock.advance(36 * SECOND_MS);
        await forwardReceipt(message, world, deadline());
      }
      return world.db.commit(writes);
    };
    let isOvertaken = false;
    await forwardReceipt(message, { ...world, db: { ...world.db, commit } }, deadline());
    expect((await shown(id)).status).toBe('completed');
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
    expect(await faults()).toEqual([]);
  });
});

it('does not touch a receipt that a later release has written in another form', async () => {
  const { message } = await received({ maxBacklog: 2 });
  const key = { pk: message.pk, sk: '#' };
  const update = 'SET v = :v';
  const write = (v: number) =>
    world.db.commit([{ kind: 'update', table: 'inbox', key, update, values: { ':v': v } }]);
  await write(2);
  const before = await world.db.get('inbox', key);
  await expect(forwardReceipt(message, world, deadline())).rejects.toThrow('the form 2');
  expect(await world.db.get('inbox', key)).toEqual(before);
  await write(1);
});

describe('due', () => {
  it('finds a receipt whose message got lost, half a minute after it came', async () => {
    const { id, message } = await received();
    await sweepTable('inbox', world);
    const found = world.sent.filter(({ body }) => body.pk === message.pk);
    expect(found).toHaveLength(1);
    world.clock.advance(30 * SECOND_MS);
    await work(world);
    expect((await shown(id)).status).toBe('completed');
    world.clock.advance(2 * MINUTE_MS);
    await sweepTable('inbox', world);
    expect(world.sent.filter(({ body }) => body.pk === message.pk)).toEqual([]);
  });
});

describe('an answer that got lost', () => {
  it.each([1, 2, 3])('of commit %i neither loses nor doubles anything', async (lost) => {
    const { id, message } = await received({ maxBacklog: 5 });
    let count = 0;
    const commit: Db['commit'] = async (writes) => {
      const done = await world.db.commit(writes);
      count += 1;
      if (count === lost) throw new Problem('unavailable');
      return done;
    };
    const doors = { ...world, db: { ...world.db, commit } };
    await forwardReceipt(message, doors, deadline()).catch(() => undefined);
    for (let n = 0; n < 3; n += 1) {
      world.clock.advance(36 * SECOND_MS);
      await forwardReceipt(message, world, deadline());
    }
    expect((await shown(id)).status).toBe('completed');
    expect(await eventsOf(world, tenantId)).toHaveLength(1);
    expect(await faults()).toEqual([]);
  });
});

describe('what it costs', () => {
  it('costs 2 + 2 units to fail once, and 1 + 3 and a read to replay', async () => {
    const { id, message } = await received();
    const fail = () => forwardReceipt(message, failing(1), deadline());
    expect(await costOf(world, fail)).toBe('0 RRU, 2 + 2 WRU');
    world.clock.advance(10 * SECOND_MS);
    await work(world);
    const replay = () => ask(`POST /v1/webhooks/${id}/replay`);
    expect(await costOf(world, replay)).toBe('1 RRU, 1 + 3 WRU');
  });
});
