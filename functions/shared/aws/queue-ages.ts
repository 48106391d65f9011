import {
  CloudWatchClient,
  GetMetricDataCommand,
  type MetricDataQuery,
} from '@aws-sdk/client-cloudwatch';
import { lazily } from '../lazily.ts';
import type { QueueAges } from '../queue-ages.ts';
import { systemClock } from '../system.ts';
import { MINUTE_MS, SECOND_MS } from '../units.ts';
import type { ParkedName, QueueName } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';

/** CloudWatch has a value of each minute, and may be three minutes behind. */
const PERIOD_SECONDS = 60;
const LOOKED_BACK_MS = 5 * MINUTE_MS;
/** Less than a minute, so that who scrapes once a minute gets a new value each time. */
const KEPT_MS = 50 * SECOND_MS;

/**
 * The World's ages of queues on CloudWatch. `parked` names the queues of dead letters, `queues`
 * those that they belong to, by their URLs.
 */
export function openQueueAges(
  parked: Readonly<Record<ParkedName, string>>,
  queues: Readonly<Record<QueueName, string>>,
): QueueAges {
  const client = lazily(() => new CloudWatchClient(PATIENCE));
  const kept = new Map<string, { readonly atMs: number; readonly age: number | undefined }>();

  /** One call for all of them that have not been asked for within a minute. */
  async function askFor(wanted: readonly string[]): Promise<void> {
    const nowMs = systemClock.nowMs();
    const names = wanted.filter((it) => (kept.get(it)?.atMs ?? 0) <= nowMs - KEPT_MS);
    if (names.length === 0) return;
    const ages = await answered('CloudWatch', () => newestAges(client(), names, nowMs));
    for (const name of names) kept.set(name, { atMs: nowMs, age: ages.get(name) });
  }

  return {
    async oldestIn(asked) {
      const ofQueues = asked.queues.map((it) => [it, physicalName(queues[it])] as const);
      const ofParked = asked.parked.map((it) => [it, physicalName(parked[it])] as const);
      await askFor([...ofQueues, ...ofParked].map(([, name]) => name));
      const known = <Name>(them: readonly (readonly [Name, string])[]) =>
        new Map(
          them.flatMap(([it, name]) => {
            const age = kept.get(name)?.age;
            return age === undefined ? [] : [[it, age] as const];
          }),
        );
      return { queues: known(ofQueues), parked: known(ofParked) };
    },
  };
}

/** CloudWatch knows a queue by what its URL ends with. */
const physicalName = (url: string): string => url.slice(url.lastIndexOf('/') + 1);

async function newestAges(
  client: CloudWatchClient,
  names: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, number>> {
  const { MetricDataResults = [] } = await client.send(
    new GetMetricDataCommand({
      MetricDataQueries: names.map(queryOf),
      StartTime: new Date(nowMs - (nowMs % MINUTE_MS) - LOOKED_BACK_MS),
      EndTime: new Date(nowMs),
      ScanBy: 'TimestampDescending',
    }),
  );
  const ages = new Map<string, number>();
  for (const [n, name] of names.entries()) {
    const result = MetricDataResults.find(({ Id }) => Id === idOf(n));
    if (result?.StatusCode !== 'Complete') {
      throw new Error(`CloudWatch has no complete answer for ${name}: ${result?.StatusCode}`);
    }
    const [newest] = result.Values ?? [];
    if (newest !== undefined) ages.set(name, newest);
  }
  return ages;
}

const idOf = (n: number): string => `q${n}`;

function queryOf(name: string, n: number): MetricDataQuery {
  const Metric = {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateAgeOfOldestMessage',
    Dimensions: [{ Name: 'QueueName', Value: name }],
  };
  return { Id: idOf(n), MetricStat: { Metric, Period: PERIOD_SECONDS, Stat: 'Maximum' } };
}
