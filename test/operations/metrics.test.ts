import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { getMetrics } from '../../functions/operations/get-metrics.ts';
import { openIndexScan } from '../../functions/shared/aws/index-scan.ts';
import { flushMeters } from '../../functions/shared/flush-meters.ts';
import { api } from '../../functions/shared/http/api.ts';
import { GAUGES, METERS } from '../../functions/shared/meter-catalogue.ts';
import { openMeters } from '../../functions/shared/meters.ts';
import type { QueueAges } from '../../functions/shared/queue-ages.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { putSweep } from '../../functions/timers/sweep.store.ts';
import { countFailure, openBreaker } from '../../functions/webhooks/health.store.ts';
import { putWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { parseMetrics, valueIn } from '../support/prometheus.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { openRealQueues, type RealQueues } from './real-queues.ts';

let queues: RealQueues;
let world: TestWorld;
beforeEach(async () => {
  queues = await openRealQueues();
  world = await testWorld();
});
afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  await queues.close();
});

/** Its time is over at once. All others have as much as they need on a busy machine. */
let isSilent = false;
const silent = () => {
  isSilent = true;
  return new Promise<never>(() => undefined);
};
const patience = async () => {
  if (!isSilent) await new Promise(() => undefined);
  isSilent = false;
};

interface Others {
  readonly db?: Db;
  readonly queueAges?: QueueAges;
}

async function metrics({ db = world.db, queueAges = queues.queueAges }: Others = {}) {
  const clock = { ...world.clock, sleep: patience };
  const indexes = openIndexScan(world.tables, world.client);
  const { deadLetters } = queues;
  const doors = { ...world, clock, db, indexes, deadLetters, queueAges };
  const event = {
    routeKey: 'GET /metrics',
    rawPath: '/metrics',
    headers: {},
    requestContext: { http: { method: 'GET', sourceIp: '127.0.0.1' } },
  };
  const handler = api(doors, [getMetrics], async () => ({}));
  const { statusCode, headers, body = '' } = await handler(event as never, {} as never);
  expect(statusCode).toBe(200);
  expect(headers).toMatchObject({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  return parseMetrics(body);
}

describe('GET /metrics', () => {
  it('has each name of the catalogue with its help and kind', async () => {
    const families = await metrics();
    for (const [name, { kind, help }] of Object.entries({ ...METERS, ...GAUGES })) {
      expect(families.get(name)).toMatchObject({ help, type: kind.toUpperCase() });
    }
  });

  it('has a 0 for what nobody has counted, where the values are known', async () => {
    const families = await metrics();
    expect(valueIn(families, 'webhook_events_total', { result: 'rejected' })).toBe(0);
    expect(valueIn(families, 'webhook_conflicts_total')).toBe(0);
    expect(valueIn(families, 'tallyhook_refusals_total', { code: 'insufficient_funds' })).toBe(0);
    expect(families.get('tallyhook_cold_starts_total')?.metrics).toEqual([]);
  });

  it('shows what was counted, under its labels', async () => {
    const meters = openMeters('ledger/api', () => undefined);
    const route = 'POST /v1/transactions/{id}/reversals';
    meters.count('tallyhook_http_requests_total', { route, status: '201' }, 3);
    meters.count('tallyhook_transactions_total', { type: 'reversal', status: 'posted' }, 2);
    await flushMeters({ ...world, meters });

    const families = await metrics();

    const requests = { route, status: '201' };
    expect(valueIn(families, 'tallyhook_http_requests_total', requests)).toBe(3);
    const reversals = { type: 'reversal', status: 'posted' };
    expect(valueIn(families, 'tallyhook_transactions_total', reversals)).toBe(2);
  });

  it('has buckets that hold all that took no longer, up to the bound itself', async () => {
    const meters = openMeters('inbox/on-receipt', () => undefined);
    for (const seconds of [0.001, 0.005, 0.0051, 0.3, 10, 11, 99]) {
      meters.observe('webhook_processing_duration_seconds', seconds);
    }
    await flushMeters({ ...world, meters });
    const family = (await metrics()).get('webhook_processing_duration_seconds');
    const [sample] = family?.metrics ?? [];
    expect(sample).toMatchObject({ count: '7', sum: '120.3111' });
    expect(sample?.buckets).toMatchObject({
      ...{ '0.005': '2', '0.01': '3', '0.25': '3', '0.5': '4' },
      ...{ '10': '5', '30': '6', '300': '7', '+Inf': '7' },
    });
  });
});

describe('the gauges', () => {
  it('show what waits, what is parked, and what is late', async () => {
    queues.store.send('inbox', [{ body: '{}' }, { body: '{}' }]);
    queues.store.send('unrelayed-parked', [{ body: '{}' }]);
    const minute = Math.floor(world.clock.nowMs() / MINUTE_MS);
    const watch = { through: minute - 2, open: [{ minute: minute - 9, againMs: 0 }] };
    const seenMs = (minute - 3) * MINUTE_MS;
    await world.db.commit([putSweep('deliveries', { watch, seenMs, stops: {}, busy: [] })]);
    await world.db.commit([putWatches({ relay: watch })]);

    const families = await metrics();

    const age = (world.clock.nowMs() - (minute - 9) * MINUTE_MS) / 1_000;
    expect(valueIn(families, 'tallyhook_queue_depth', { queue: 'inbox' })).toBe(2);
    expect(valueIn(families, 'webhook_queue_depth')).toBe(2);
    expect(valueIn(families, 'tallyhook_queue_depth', { queue: 'tasks' })).toBe(0);
    expect(valueIn(families, 'tallyhook_dead_letters', { queue: 'unrelayed' })).toBe(1);
    expect(valueIn(families, 'tallyhook_dead_letters', { queue: 'inbox' })).toBe(0);
    const oldest = (queue: string) => valueIn(families, 'tallyhook_oldest_due_seconds', { queue });
    expect([oldest('delivery-slow'), oldest('tasks')]).toEqual([age, 0]);
    expect(valueIn(families, 'tallyhook_oldest_unrelayed_seconds')).toBe(age);
    expect(valueIn(families, 'tallyhook_sweeper_age_seconds')).toBe(age - 6 * 60);
  });

  it('count endpoints with an open breaker, of all tenants', async () => {
    for (const name of ['1', '2']) {
      const endpoint = { tenantId: `ten_${name}`, id: `end_${name}` } as const;
      for (let n = 0; n < 20; n += 1) {
        await world.db.commit([countFailure(endpoint, false, world.clock.nowMs())]);
      }
      expect(await world.db.commit([openBreaker(endpoint, world.clock.nowMs())])).toMatchObject({
        ok: true,
      });
    }
    expect(valueIn(await metrics(), 'tallyhook_open_endpoints')).toBe(2);
  });
});

describe('a damaged row of the counters', () => {
  const put = (sk: string, item: object) => {
    const row = { pk: 'shard#0', sk, last: 'x', ...item };
    return world.db.commit([{ kind: 'put', table: 'meters', item: row }]);
  };

  it('costs what is damaged in it, is counted and named, and the rest is shown', async () => {
    await put('hurt/api', { 'tasks|fired': 'x', 'breaker_changes|open': -2, 'tasks|failed': 5 });
    await put('odd/api', { webhook_conflicts: 0.5, 'breaker_changes|closed': { a: 1 } });
    await put('well/api', { 'tasks|fired': 3, 'breaker_changes|closed': 2 });

    const families = await metrics();

    const tasks = (state: string) => valueIn(families, 'tallyhook_tasks_total', { state });
    const breakers = (to: string) => valueIn(families, 'tallyhook_breaker_changes_total', { to });
    expect([tasks('fired'), tasks('failed')]).toEqual([3, 5]);
    expect([breakers('open'), breakers('closed')]).toEqual([0, 2]);
    expect(valueIn(families, 'webhook_conflicts_total')).toBe(0);
    expect(valueIn(families, 'tallyhook_damaged_meters')).toBe(2);
    expect(valueIn(families, 'tallyhook_scrape_errors', { source: 'meters' })).toBe(0);
    const named = world.lines.filter(({ event }) => event === 'metrics.damaged');
    expect(named).toMatchObject([
      { pk: 'shard#0', sk: 'hurt/api', fields: ['breaker_changes|open', 'tasks|fired'] },
      { pk: 'shard#0', sk: 'odd/api', fields: ['breaker_changes|closed', 'webhook_conflicts'] },
    ]);
  });

  it('is none where all is well', async () => {
    await put('well/api', { 'tasks|fired': 3, 'breaker_changes|closed': 2n ** 60n });
    expect(valueIn(await metrics(), 'tallyhook_damaged_meters')).toBe(0);
    expect(world.lines.filter(({ event }) => event === 'metrics.damaged')).toEqual([]);
  });
});

describe('the ages of queues', () => {
  const ageOf = (families: Awaited<ReturnType<typeof metrics>>, queue: string) => [
    valueIn(families, 'tallyhook_oldest_message_seconds', { queue }),
    valueIn(families, 'tallyhook_oldest_dead_letter_seconds', { queue }),
  ];
  const inSeconds = (seconds: number) => vi.setSystemTime(Date.now() + 1_000 * seconds);
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  });

  it('are those of the oldest message, of the queue and of its dead letters', async () => {
    queues.store.send('inbox', [{ body: '{}' }]);
    queues.store.send('unrelayed-parked', [{ body: '{}' }]);
    inSeconds(60);
    queues.store.send('inbox', [{ body: '{}' }]);
    queues.store.send('inbox-parked', [{ body: '{}' }]);
    inSeconds(30);

    const families = await metrics();

    expect(ageOf(families, 'inbox')).toEqual([90, 30]);
    expect(ageOf(families, 'unrelayed')).toEqual([Number.NaN, 90]);
    expect(ageOf(families, 'tasks')).toEqual([0, 0]);
    const shown = families.get('tallyhook_oldest_message_seconds')?.metrics;
    expect(shown).toHaveLength(families.get('tallyhook_queue_depth')?.metrics.length ?? 0);
  });

  it('are asked for by one call, and none while all queues are empty', async () => {
    const calls = () => queues.asked.filter((it) => it.endsWith('.GetMetricData')).length;
    await metrics();
    expect(calls()).toBe(0);
    queues.store.send('inbox', [{ body: '{}' }]);
    queues.store.send('tasks-parked', [{ body: '{}' }]);
    await metrics();
    expect(calls()).toBe(1);
  });

  it('are left out of a queue in which CloudWatch has seen nothing yet', async () => {
    queues.store.send('inbox', [{ body: '{}', delaySeconds: 900 }]);
    const families = await metrics();
    expect(valueIn(families, 'tallyhook_queue_depth', { queue: 'inbox' })).toBe(1);
    expect(ageOf(families, 'inbox')).toEqual([Number.NaN, 0]);
    expect(valueIn(families, 'tallyhook_scrape_errors', { source: 'oldest messages' })).toBe(0);
  });
});

describe('what does not answer', () => {
  const errorIn = (families: Awaited<ReturnType<typeof metrics>>, source: string) =>
    valueIn(families, 'tallyhook_scrape_errors', { source });

  it('is named, and the rest is shown: queues', async () => {
    await queues.stop();
    const families = await metrics();
    expect(errorIn(families, 'inbox')).toBe(1);
    expect(errorIn(families, 'unprojected dead letters')).toBe(1);
    expect(families.has('tallyhook_queue_depth')).toBe(false);
    expect(families.has('tallyhook_oldest_message_seconds')).toBe(false);
    expect(errorIn(families, 'oldest messages')).toBe(1);
    expect(errorIn(families, 'meters')).toBe(0);
    expect(valueIn(families, 'webhook_conflicts_total')).toBe(0);
  });

  it.each([
    ['fails', () => Promise.reject(new Error('AccessDenied'))],
    ['is silent', silent],
  ])('is named, and the rest is shown: CloudWatch %s', async (_, oldestIn) => {
    queues.store.send('inbox', [{ body: '{}' }]);
    const families = await metrics({ queueAges: { oldestIn } });
    expect(errorIn(families, 'oldest messages')).toBe(1);
    const age = (queue: string) => valueIn(families, 'tallyhook_oldest_message_seconds', { queue });
    expect([age('inbox'), age('tasks')]).toEqual([Number.NaN, 0]);
    expect(errorIn(families, 'inbox')).toBe(0);
    expect(valueIn(families, 'tallyhook_queue_depth', { queue: 'inbox' })).toBe(1);
  });

  it('is named, and the rest is shown: counters, which are left out and never 0', async () => {
    const families = await metrics({ db: { ...world.db, query: silent } });
    expect(errorIn(families, 'meters')).toBe(1);
    expect(families.has('webhook_conflicts_total')).toBe(false);
    expect(errorIn(families, 'inbox')).toBe(0);
    expect(valueIn(families, 'tallyhook_queue_depth', { queue: 'inbox' })).toBe(0);
  });
});
