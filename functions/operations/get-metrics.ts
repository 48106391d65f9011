import { route } from '../shared/http/route.ts';
import type { QueueAges } from '../shared/queue-ages.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { IndexScan, Item, ParkedName, World } from '../shared/world.ts';
import { DUE_QUEUES, SWEPT_TABLES } from '../timers/due-table.ts';
import { findSweep } from '../timers/sweep.store.ts';
import { findWatches } from '../webhooks/outbox-watch.store.ts';
import { getMetricsRoute } from './contract.ts';
import { isRedrivable, PARKED_NAMES } from './dead-letter.ts';
import { readTotals } from './meter.store.ts';
import { type GaugeValue, prometheusText } from './prometheus-text.ts';
import { relayLagMs, sweeperLagMs } from './readiness.ts';

type Needs = Pick<World, 'clock' | 'db' | 'deadLetters' | 'log'> & {
  readonly indexes: IndexScan;
  readonly queueAges: QueueAges;
};

/** A scraper waits for ten seconds, and what answers is shown without the rest. */
const ASK_MS_MAX = 3 * SECOND_MS;

/**
 * GET /metrics: what all instances that were ever there have counted, up to ten seconds old, and
 * how much waits now. Of what does not answer it says so, in `tallyhook_scrape_errors`.
 */
export const getMetrics = route(getMetricsRoute, async (_call, world: Needs) => {
  const [totals, marks, endpoints, queues] = await Promise.all([
    ask('meters', () => countAll(world), world),
    ask('marks', () => readMarks(world), world),
    ask('endpoints', () => countOpen(world), world),
    askQueues(world),
  ]);
  const found = [totals.found?.gauges, marks.found, endpoints.found, queues.gauges];
  const gauges = found.flatMap((it) => it ?? []);
  const errors = [totals, marks, endpoints, ...queues.asked].map(
    ({ source, found }): GaugeValue => ({
      name: 'tallyhook_scrape_errors',
      of: source,
      value: found === undefined ? 1 : 0,
    }),
  );
  return { body: prometheusText(totals.found?.counts, [...gauges, ...errors]) };
});

/** What was found, or nothing where it failed or took too long. */
interface Asked<Found> {
  readonly source: string;
  readonly found?: Found | undefined;
}

async function ask<Found>(
  source: string,
  look: () => Promise<Found>,
  { clock, log }: Needs,
): Promise<Asked<Found>> {
  try {
    const found = await Promise.race([look(), clock.sleep(ASK_MS_MAX)]);
    if (found === undefined) log.warn('metrics.unasked', { source });
    return { source, found: found ?? undefined };
  } catch (error) {
    log.warn('metrics.unasked', { source, error });
    return { source };
  }
}

/** What instances have counted, and how many rows of it have something else in them. */
async function countAll({ db, log }: Needs) {
  const { counts, damaged } = await readTotals(db);
  for (const row of damaged) log.error('metrics.damaged', { ...row });
  const gauges: GaugeValue[] = [{ name: 'tallyhook_damaged_meters', value: damaged.length }];
  return { counts, gauges };
}

const QUEUES = PARKED_NAMES.filter(isRedrivable);

/**
 * How much is in each queue and among its dead letters, and then how old the oldest is. Each age is
 * paid for, so that none is asked for of what is known to be empty.
 */
async function askQueues(world: Needs) {
  const { deadLetters, queueAges } = world;
  const [queues, parked] = await Promise.all([
    askEach(QUEUES, (it) => ask(it, () => deadLetters.depthOf(it), world)),
    askEach(PARKED_NAMES, (it) =>
      ask(`${it} dead letters`, () => deadLetters.parkedDepthOf(it), world),
    ),
  ]);
  const wanted = { queues: notEmpty(queues), parked: notEmpty(parked) };
  const ages = await ask('oldest messages', () => queueAges.oldestIn(wanted), world);
  const inbox = queues.filter(({ name }) => name === 'inbox');
  return {
    asked: [...queues, ...parked, ages],
    gauges: [
      ...gaugesOf('webhook_queue_depth', inbox, depthIn),
      ...gaugesOf('tallyhook_queue_depth', queues, depthIn),
      ...gaugesOf('tallyhook_oldest_message_seconds', queues, ageIn(ages.found?.queues)),
      ...gaugesOf('tallyhook_dead_letters', parked, depthIn),
      ...gaugesOf('tallyhook_oldest_dead_letter_seconds', parked, ageIn(ages.found?.parked)),
    ],
  };
}

/** The depth of one queue, or nothing where it is not known. */
type Depth<Name> = Asked<number> & { readonly name: Name };

function askEach<Name>(names: readonly Name[], askOne: (name: Name) => Promise<Asked<number>>) {
  return Promise.all(
    names.map(async (name): Promise<Depth<Name>> => ({ name, ...(await askOne(name)) })),
  );
}

function notEmpty<Name>(depths: readonly Depth<Name>[]): readonly Name[] {
  return depths.filter(({ found }) => found !== 0).map(({ name }) => name);
}

const depthIn = ({ found }: Depth<ParkedName>): number | undefined => found;

const ageIn =
  <Name>(ages: ReadonlyMap<Name, number> | undefined) =>
  ({ name, found }: Depth<Name>): number | undefined =>
    found === 0 ? 0 : ages?.get(name);

function gaugesOf<Name extends ParkedName>(
  gauge: GaugeValue['name'],
  depths: readonly Depth<Name>[],
  valueIn: (depth: Depth<Name>) => number | undefined,
): readonly GaugeValue[] {
  return depths.flatMap((it) => {
    const value = valueIn(it);
    return value === undefined ? [] : [{ name: gauge, of: it.name, value }];
  });
}

/** How far the sweeper and the reconciler have come, and what they left behind. */
async function readMarks({ clock, db }: Needs): Promise<readonly GaugeValue[]> {
  const nowMs = clock.nowMs();
  const [watches, sweeps] = await Promise.all([
    findWatches(db),
    Promise.all(SWEPT_TABLES.map((table) => findSweep(db, table))),
  ]);
  const seenMs = sweeps.flatMap((it) => (it ? [it.seenMs] : []));
  const oldest = SWEPT_TABLES.map((table, n): GaugeValue => {
    const open = sweeps[n]?.watch.open ?? [];
    const sinceMs = Math.min(nowMs, ...open.map(({ minute }) => minute * MINUTE_MS));
    const value = (nowMs - sinceMs) / SECOND_MS;
    return { name: 'tallyhook_oldest_due_seconds', of: DUE_QUEUES[table], value };
  });
  const relayLag = relayLagMs(watches.relay, nowMs) / SECOND_MS;
  const sweeperLag = sweeperLagMs(seenMs, nowMs) / SECOND_MS;
  return [
    ...oldest,
    { name: 'tallyhook_oldest_unrelayed_seconds', value: relayLag },
    { name: 'tallyhook_sweeper_age_seconds', value: sweeperLag },
  ];
}

/** A page has thousands; with more than so many somebody is awake anyway. */
const PAGES_MAX = 5;

/** An endpoint with an open breaker is due for its next probe, and the index holds few others. */
async function countOpen({ indexes }: Needs): Promise<readonly GaugeValue[]> {
  let value = 0;
  let after: Item | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { items, next } = await indexes.scan({ table: 'endpoints', index: 'due' }, after);
    value += items.filter(({ sk }) => sk === 'HEALTH').length;
    after = next;
    if (!after) break;
  }
  return [{ name: 'tallyhook_open_endpoints', value }];
}
