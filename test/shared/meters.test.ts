import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readTotals } from '../../functions/operations/meter.store.ts';
import { metered } from '../../functions/shared/aws/metered.ts';
import { flushMeters } from '../../functions/shared/flush-meters.ts';
import { GAUGES, METERS } from '../../functions/shared/meter-catalogue.ts';
import {
  type Deltas,
  type InstanceMeters,
  openMeters,
  storedName,
} from '../../functions/shared/meters.ts';
import { PROBLEMS } from '../../functions/shared/problem.ts';
import { SECOND_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { until } from '../support/until.ts';
import { type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(() => void world.takeUnits());

const flush = async (meters: InstanceMeters, doors = world) => flushMeters({ ...doors, meters });
const open = (entry: string) => openMeters(entry, () => undefined);
const total = async (series: string) => (await readTotals(world.db)).counts.get(series) ?? 0;
const failing = (commit: Db['commit']) => ({ ...world, db: { ...world.db, commit } });

describe('the counts of instances', () => {
  it('are summed, whatever they count at the same time', async () => {
    const instances = Array.from({ length: 20 }, (_, n) => open(`sum/of-${n % 3}`));
    for (const meters of instances) {
      for (let n = 0; n < 50; n += 1) meters.count('tallyhook_tasks_total', { state: 'fired' });
      meters.count('tallyhook_tasks_total', { state: 'failed' }, 7);
    }
    await Promise.all(instances.map((it) => flush(it)));

    expect(await total('tasks|fired')).toBe(1_000);
    expect(await total('tasks|failed')).toBe(140);
  });

  it('take one unit in ten seconds, whatever is in them, and none where nothing is', async () => {
    const meters = open('ledger/api');
    const take = async () => {
      await flush(meters);
      return world.takeUnits();
    };
    expect(await take()).toBe(0);
    const busy = () => {
      for (const status of ['201', '200', '422', '503']) {
        for (const route of ['POST /v1/transactions', 'POST /v1/holds/{id}/capture']) {
          meters.count('tallyhook_http_requests_total', { route, status }, 123_456);
        }
      }
      for (const code of Object.keys(PROBLEMS).slice(0, 12) as (keyof typeof PROBLEMS)[]) {
        meters.count('tallyhook_refusals_total', { code }, 1_234);
      }
      for (let ms = 1; ms < 3_000; ms *= 2) {
        meters.observe('tallyhook_http_request_duration_seconds', ms / SECOND_MS);
      }
    };
    busy();
    expect(await take()).toBe(1);
    busy();
    expect(await take()).toBe(0);
    world.clock.advance(10 * SECOND_MS);
    expect(await take()).toBe(1);
  });

  it('are added later when the table does not take them, and told but once', async () => {
    const told: Deltas[] = [];
    const meters = openMeters('kept/api', (deltas) => told.push(deltas));
    const before = await total('webhook_conflicts');
    const refusals: Db['commit'][] = [
      () => Promise.reject(new Error('throttled')),
      async () => ({ ok: false, reasons: [{ code: 'conflict' }] }),
    ];
    for (const commit of refusals) {
      meters.count('webhook_conflicts_total', {});
      await flush(meters, failing(commit));
      world.clock.advance(10 * SECOND_MS);
    }
    // First what was refused, as it was, then what came since.
    for (let n = 0; n < 2; n += 1) {
      await flush(meters);
      world.clock.advance(10 * SECOND_MS);
    }

    expect(await total('webhook_conflicts')).toBe(before + 2);
    expect(told.map(({ counts }) => counts.get('webhook_conflicts_total'))).toEqual([1, 1]);
  });

  it('are added once where the answer of a write was lost, however often it is tried', async () => {
    const meters = open('lost/api');
    const before = await total('breaker_changes|closed');
    // As the SDK does it: what got no answer is sent again.
    const isLost: Db['commit'] = async (writes) => {
      await world.db.commit(writes);
      await world.db.commit(writes);
      throw new Error('no answer');
    };
    for (let n = 0; n < 4; n += 1) {
      meters.count('tallyhook_breaker_changes_total', { to: 'closed' });
      await flush(meters, n < 3 ? failing(isLost) : world);
      world.clock.advance(10 * SECOND_MS);
    }
    await flush(meters);

    expect(await total('breaker_changes|closed')).toBe(before + 4);
  });

  it('are whole when there are more of them than one write takes', async () => {
    const meters = open('many/api');
    const routes = Array.from({ length: 200 }, (_, n) => `GET /v1/${n}`);
    for (const route of routes) {
      meters.count('tallyhook_http_requests_total', { route, status: '200' });
    }
    for (let n = 0; n < 2; n += 1) {
      await flush(meters);
      world.clock.advance(10 * SECOND_MS);
    }
    const { counts } = await readTotals(world.db);
    expect(routes.filter((it) => counts.get(`http_requests|${it}|200`) !== 1)).toEqual([]);
  });
});

describe('a damaged item', () => {
  const pk = 'shard#7';
  const put = (sk: string, item: object) =>
    world.db.commit([{ kind: 'put', table: 'meters', item: { pk, sk, ...item } }]);
  /** The share of each write that is new is the one with that item. */
  const drawn = (n: number) => ({ ...world, ids: { ...world.ids, random: () => 0.9 + n / 100 } });

  it('costs only itself: what it refuses is added to the next one, and it is named', async () => {
    const meters = open('hurt/api');
    await put('hurt/api', { 'file_rows|user': 'many', 'file_rows|duplicate': 5 });
    for (let n = 0; n < 3; n += 1) {
      meters.count('tallyhook_file_rows_total', { result: 'user' });
      await flush(meters, drawn(n));
      world.clock.advance(10 * SECOND_MS);
    }
    await flush(meters);

    expect(await total('file_rows|user')).toBe(3);
    expect(await total('file_rows|duplicate')).toBe(5);
    const kept = world.lines.filter(({ event }) => event === 'meters.kept');
    expect(kept.at(-1)).toMatchObject({ pk, sk: 'hurt/api' });
  });

  it('is left as soon as another one takes it, and the count is made once', async () => {
    const meters = open('whole/api');
    await put('whole/api', { 'file_rows|malformed': new Set(['x']) });
    meters.count('tallyhook_file_rows_total', { result: 'malformed' }, 4);
    for (let n = 0; n < 4; n += 1) {
      await flush(meters, drawn(n));
      world.clock.advance(10 * SECOND_MS);
    }
    expect(await total('file_rows|malformed')).toBe(4);
  });
});

describe('a function', () => {
  const context = {} as Parameters<ReturnType<typeof metered>>[1];
  /** Doors with which a function waits for its write, however long that takes. */
  const patient = () => {
    const sleep = () => new Promise<void>(() => undefined);
    return { ...world, clock: { ...world.clock, sleep } };
  };

  it('counts its cold start, its messages and what it threw', async () => {
    const meters = open('some/on-message');
    const answers = [
      { batchItemFailures: [] },
      { batchItemFailures: [{ itemIdentifier: '1' }] },
      new Error('broken'),
    ];
    const handler = metered({ ...patient(), meters }, async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    });
    await handler({ Records: [{}, {}] }, context);
    await handler({ Records: [{}, {}] }, context);
    await expect(handler({ Records: [{}] }, context)).rejects.toThrow('broken');
    world.clock.advance(10 * SECOND_MS);
    await flush(meters);

    expect(await total('cold_starts|some/on-message')).toBe(1);
    expect(await total('messages|some/on-message|done')).toBe(3);
    expect(await total('messages|some/on-message|failed')).toBe(2);
    expect(await total('function_errors|some/on-message')).toBe(1);
  });

  it('counts as failed what comes again of a stream: all from the first failure on', async () => {
    const meters = open('some/on-stream');
    const failures = [{ itemIdentifier: 'c' }];
    const answer = { batchItemFailures: failures };
    const handler = metered({ ...patient(), meters }, async () => answer);
    const Records = ['a', 'b', 'c', 'd', 'e'].map((it) => ({ dynamodb: { SequenceNumber: it } }));
    await handler({ Records }, context);

    expect(await total('messages|some/on-stream|done')).toBe(2);
    expect(await total('messages|some/on-stream|failed')).toBe(3);
  });

  it('answers while the table is silent, asks it once, and adds all when it speaks', async () => {
    const meters = open('patient/api');
    const asked: (() => void)[] = [];
    const silent = failing((writes) =>
      new Promise<void>((speak) => asked.push(speak)).then(() => world.db.commit(writes)),
    );
    const handler = metered({ ...silent, meters }, async () => 'answer');
    for (let n = 0; n < 3; n += 1) {
      expect(await handler({}, context)).toBe('answer');
      world.clock.advance(10 * SECOND_MS);
    }
    expect(asked).toHaveLength(1);
    meters.count('tallyhook_breaker_changes_total', { to: 'open' });
    for (const speak of asked) speak();
    await until(
      () => total('cold_starts|patient/api'),
      (it) => it === 1,
    );
    await flush(meters);
    expect(await total('breaker_changes|open')).toBe(1);
  });
});

it('takes a clock that was set back for no time at all: a sum never falls', async () => {
  const meters = open('clock/api');
  meters.observe('tallyhook_file_parse_duration_seconds', 2);
  meters.observe('tallyhook_file_parse_duration_seconds', -5);
  await flush(meters);
  expect(await total('file_parse_duration|sum')).toBe(2_000_000);
});

it('has no two meters that are stored under one name', () => {
  const names = [...Object.keys(METERS), ...Object.keys(GAUGES)];
  expect(new Set(names.map(storedName)).size).toBe(names.length);
});
