import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { getReady } from '../../functions/operations/get-ready.ts';
import { queuesCheck, relayCheck } from '../../functions/operations/readiness.ts';
import { OPTIONS } from '../../functions/shared/config.ts';
import { MINUTE_MS, SECOND_MS } from '../../functions/shared/units.ts';
import { toInstant } from '../../functions/shared/wire.ts';
import { putSweep } from '../../functions/timers/sweep.store.ts';
import { putWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { instanceOf } from '../tenants/tenants-api.ts';
import { openRealQueues, type RealQueues } from './real-queues.ts';

let queues: RealQueues;
let world: TestWorld;
let ready: () => ReturnType<ReturnType<typeof instanceOf>>;
beforeEach(async () => {
  queues = await openRealQueues();
  world = await testWorld();
  const ask = instanceOf({ ...world, deadLetters: queues.deadLetters }, [getReady()]);
  ready = () => ask('GET /ready');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await queues.close();
});

const minutesAgo = (minutes: number) => Math.floor(world.clock.nowMs() / MINUTE_MS) - minutes;
const startOf = (minute: number) => toInstant(minute * MINUTE_MS);
const watchOf = (through: number, ...open: number[]) => ({
  through,
  open: open.map((minute) => ({ minute, againMs: 0 })),
});
const sweptAt = (seenMs: number) => ({ watch: watchOf(0), seenMs, stops: {}, busy: [] });

describe('an installation', () => {
  it('is ready before its first tick, and shows how much waits', async () => {
    queues.store.send('tasks', [{ body: '{}' }, { body: '{}' }]);

    expect(await ready()).toMatchObject({
      status: 200,
      body: {
        status: 'ready',
        checks: [
          { name: 'database', status: 'ok' },
          { name: 'relay', status: 'ok' },
          { name: 'sweeper', status: 'ok' },
          {
            ...{ name: 'queues', status: 'ok' },
            backlog: { 'delivery-fast': 0, inbox: 0, tasks: 2 },
          },
        ],
      },
    });
  });

  it('does not count what is in a queue ahead of its time, as planned', async () => {
    queues.store.send('delivery-fast', [{ body: '{}' }, { body: '{}', delaySeconds: 60 }]);
    queues.store.send('tasks', [{ body: '{}', delaySeconds: 60 }]);
    queues.store.receive('delivery-fast', 1, 60);

    const { body } = await ready();

    const backlog = { 'delivery-fast': 1, inbox: 0, tasks: 0 };
    expect(body.checks).toContainEqual({ name: 'queues', status: 'ok', backlog });
  });

  it('is ready while ticks come, and an event of a minute ago waits for one', async () => {
    await world.db.commit([putWatches({ relay: watchOf(minutesAgo(4), minutesAgo(5)) })]);
    await world.db.commit([putSweep('tasks', sweptAt(world.clock.nowMs() - MINUTE_MS))]);

    expect((await ready()).status).toBe(200);
  });

  it('is ready a minute after a tick, whatever patience the reconciler was given', () => {
    const { maximum = Infinity } = z.toJSONSchema(OPTIONS.shape.reconcileAfterSeconds);
    const tickMs = 1_000 * MINUTE_MS;
    // It leaves the newest minute open, of which some events were too young for it.
    const through = Math.floor((tickMs - maximum * SECOND_MS) / MINUTE_MS) - 1;
    expect(relayCheck(watchOf(through), tickMs + MINUTE_MS).status).toBe('ok');
  });

  it('is degraded while an older event is not relayed, and says since when', async () => {
    await world.db.commit([putWatches({ relay: watchOf(minutesAgo(4), minutesAgo(9)) })]);

    const { status, body } = await ready();

    const relay = { name: 'relay', status: 'late', since: startOf(minutesAgo(9)) };
    expect([status, body.status]).toEqual([503, 'degraded']);
    expect(body.checks).toContainEqual(relay);
  });

  it('is ready in spite of rows that nobody can read, which have their alarm', async () => {
    const { through } = watchOf(minutesAgo(4));
    const open = [{ minute: minutesAgo(90), againMs: 0, isDamaged: true }];
    await world.db.commit([putWatches({ relay: { through, open } })]);

    expect((await ready()).status).toBe(200);
  });

  it('is degraded when a queue is minutes of work behind', () => {
    const late = { name: 'queues', status: 'late', backlog: { inbox: 50_001 } };
    expect(queuesCheck({ inbox: 50_001 })).toEqual(late);
    expect(queuesCheck({ inbox: 50_000 }).status).toBe('ok');
  });

  it('is degraded when the reconciler or the sweeper has stopped', async () => {
    const seenMs = world.clock.nowMs() - 7 * MINUTE_MS;
    await world.db.commit([putWatches({ relay: watchOf(minutesAgo(8)) })]);
    await world.db.commit([putSweep('tasks', sweptAt(world.clock.nowMs()))]);
    await world.db.commit([putSweep('files', sweptAt(seenMs))]);

    const { status, body } = await ready();

    expect(status).toBe(503);
    expect(body.checks).toEqual(
      expect.arrayContaining([
        { name: 'relay', status: 'late', since: startOf(minutesAgo(7)) },
        { name: 'sweeper', status: 'late', since: toInstant(seenMs) },
      ]),
    );
  });

  it('is degraded, and not broken, when queues do not answer', async () => {
    await queues.stop();

    const { status, body } = await ready();

    expect([status, body.status]).toEqual([503, 'degraded']);
    expect(body.checks).toContainEqual({ name: 'queues', status: 'failed' });
    expect(body.checks).toContainEqual({ name: 'database', status: 'ok' });
    expect(JSON.stringify(body)).not.toContain('127.0.0.1');
  });

  it('looks once in five seconds, however often it is asked', async () => {
    await Promise.all([ready(), ready()]);
    const look = world.takeUnits();
    expect(look).toBeGreaterThan(0);
    await ready();
    expect(world.takeUnits()).toBe(0);
    await world.clock.sleep(5 * SECOND_MS);
    await ready();
    expect(world.takeUnits()).toBe(look);
  });
});
