import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openInstance } from '../../functions/shared/instance.ts';

interface MetricLine {
  readonly _aws: {
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [name: string]: unknown;
}

const printed: MetricLine[] = [];
beforeEach(() => {
  printed.splice(0);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(JSON.parse(String(text)));
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const unitsIn = (line: MetricLine | undefined) =>
  Object.fromEntries(
    line?._aws.CloudWatchMetrics[0]?.Metrics.map(({ Name, Unit }) => [Name, Unit]) ?? [],
  );

it('tells once what it has counted: a metric by name, and the counts apart', () => {
  const { meters } = openInstance('webhooks/on-delivery');
  meters.count('tallyhook_deliveries_total', { status: 'held' }, 2);
  meters.count('tallyhook_deliveries_total', { status: 'delivered' });
  meters.count('tallyhook_refusals_total', { code: 'busy' });
  meters.observe('tallyhook_delivery_age_seconds', 0.25);
  meters.observe('tallyhook_delivery_age_seconds', 3);
  expect(printed).toEqual([]);

  meters.take(1_000_000, 0.5);
  meters.settle();
  meters.take(2_000_000, 0.5);

  expect(printed).toHaveLength(1);
  const [line] = printed;
  expect(line?._aws.CloudWatchMetrics[0]).toMatchObject({
    Namespace: 'Tallyhook',
    Dimensions: [['Stage']],
  });
  expect(unitsIn(line)).toEqual({
    tallyhook_delivery_age_seconds: 'Seconds',
    tallyhook_deliveries_total: 'Count',
    tallyhook_deliveries_total_held: 'Count',
    tallyhook_deliveries_total_delivered: 'Count',
    tallyhook_refusals_total: 'Count',
  });
  expect(line).toMatchObject({
    ...{ Stage: 'dev', event: 'meters', function: 'webhooks/on-delivery' },
    tallyhook_delivery_age_seconds: [0.25, 3],
    tallyhook_deliveries_total: 3,
    tallyhook_deliveries_total_held: 2,
    tallyhook_deliveries_total_delivered: 1,
    tallyhook_refusals_total: 1,
    counts: { 'tallyhook_refusals_total|busy': 1, 'tallyhook_deliveries_total|held': 2 },
  });
});

it('tells at once what an alarm looks at, and counts it', () => {
  const { meters, metrics } = openInstance('webhooks/on-reconcile');
  metrics.count('OldestUnrelayedMs', 61_000);

  expect(unitsIn(printed[0])).toEqual({ OldestUnrelayedMs: 'Count' });
  expect(printed[0]).toMatchObject({ Stage: 'dev', OldestUnrelayedMs: 61_000 });
  expect([...(meters.take(1_000_000, 0.5)?.counts ?? [])]).toEqual([
    ['tallyhook_signals_total|OldestUnrelayedMs', 1],
  ]);
});

it('tells a hundred durations at most, and keeps them all in the buckets', () => {
  const { meters } = openInstance('ledger/api');
  for (let n = 0; n < 150; n += 1) meters.observe('tallyhook_http_request_duration_seconds', 0.02);
  const taken = meters.take(1_000_000, 0.5)?.counts;

  expect(printed[0]?.tallyhook_http_request_duration_seconds).toHaveLength(100);
  expect(taken?.get('tallyhook_http_request_duration_seconds|0.025')).toBe(150);
  expect(taken?.get('tallyhook_http_request_duration_seconds|sum')).toBe(3_000_000);
});
