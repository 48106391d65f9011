import type { TickTime } from '../shared/aws/schedule.ts';
import { type MinuteVisit, type Sends, setBack, watchMinutes } from '../shared/minute-watch.ts';
import { minutePartition } from '../shared/sortable.ts';
import { DAY_MS, MINUTE_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { DUE_SHARDS } from './due.ts';
import { SWEPT_TABLES, type SweptTable } from './due-table.ts';
import { type RestMessage, restMessage } from './rest-message.ts';
import { sendDue } from './send-due.ts';
import { type DuePage, findSweep, LAST_SK, listDue, putSweep, type Sweep } from './sweep.store.ts';
import {
  HORIZON_MS,
  isOverdue,
  isQuiet,
  isStuck,
  needsMessage,
  SETTLING_MS,
  sentAgain,
} from './sweep.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'metrics' | 'queues' | 'deadLetterQueues'>;

/**
 * What one tick sends per minute and shard itself. A rest that had no message yet is handed over to
 * `on-sweep`, so that shards are swept in parallel; what is sent again goes on with the next tick.
 */
const SHARD_MESSAGES_MAX = 1_250;
/** So many shards can be left in their midst; of more, the rest waits until it is overdue. */
const STOPS_MAX = 500;

/**
 * One tick of the sweeper: hands what is due to the rooms, again and again until its item says
 * otherwise. It reads and sends, and changes no item but its own watermarks. A table that cannot be
 * swept holds up no other, and fails the tick; one that does not fail is counted.
 */
export async function sweepTables(
  world: Needs,
  time: TickTime = { stopMs: Infinity },
): Promise<void> {
  const swept = await Promise.allSettled(SWEPT_TABLES.map((it) => sweepTable(it, world, time)));
  const failed = swept.find((it) => it.status === 'rejected');
  // Not before all have ended: Lambda would freeze the others in their midst.
  if (failed) throw failed.reason;
  world.metrics.count('SweeperTicks');
}

/** What a tick does on one table. */
export async function sweepTable(
  table: SweptTable,
  world: Needs,
  { stopMs }: TickTime = { stopMs: Infinity },
): Promise<void> {
  const nowMs = world.clock.nowMs();
  const settled = minuteOf(nowMs - SETTLING_MS);
  const newest = minuteOf(nowMs + HORIZON_MS);
  // Before its first tick an installation has nothing that is due.
  const first: Sweep = { watch: { through: settled, open: [] }, seenMs: 0, stops: {}, busy: [] };
  const found = (await findSweep(world.db, table)) ?? first;
  const sweep: Sweep = {
    ...found,
    watch: setBack(found.watch, { settled, againMs: nowMs }),
    seenMs: Math.min(found.seenMs, (newest + 1) * MINUTE_MS),
  };
  const stops = new Map(Object.entries(sweep.stops));
  const sends = new Map(sweep.watch.open.map((it) => [it.minute, it.sends]));
  const busy = new Set(sweep.busy);
  let { seenMs } = sweep;
  let sent = 0;
  const watch = await watchMinutes(world, {
    watch: sweep.watch,
    newest,
    settled,
    stopMs,
    visit: async (minute) => {
      const wasSeen = (minute + 1) * MINUTE_MS <= sweep.seenMs;
      if (wasSeen && !busy.has(minute) && isQuiet(minute, nowMs)) return { minute };
      const when = { seenMs: sweep.seenMs, nowMs, stopMs };
      const visit = { table, minute, ...when, stops, sends: sends.get(minute) };
      const result = await sweepMinute(visit, world);
      sent += result.sent;
      if (result.againMs === undefined || minute <= settled) busy.delete(minute);
      else busy.add(minute);
      seenMs = Math.max(seenMs, (minute + 1) * MINUTE_MS);
      return result;
    },
    save: (next) => {
      const left = { stops: Object.fromEntries(stops), busy: [...busy] };
      return world.db.commit([putSweep(table, { watch: next, seenMs, ...left })]);
    },
  });
  world.log.info('table.swept', { table, sent, stops: stops.size, ...watch });
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

interface Minute extends TickTime {
  readonly table: SweptTable;
  readonly minute: number;
  readonly seenMs: number;
  readonly nowMs: number;
  /** Where shards were left in their midst; a visit changes its own. */
  readonly stops: Map<string, string>;
  readonly sends: Sends | undefined;
}

async function sweepMinute(what: Minute, world: Needs): Promise<MinuteVisit & { sent: number }> {
  const { minute, nowMs } = what;
  const isGivenUp = isStuck(what.sends, nowMs);
  const shards = Array.from({ length: DUE_SHARDS }, (_, shard) => shard);
  const swept = await Promise.all(
    shards.map((shard) =>
      isGivenUp ? giveUpShard(what, shard, world) : sweepShard(what, shard, world),
    ),
  );
  const sent = swept.reduce((sum, it) => sum + it.sent, 0);
  const isDone = swept.every((it) => it.isDone);
  if (isDone) {
    for (const shard of shards) what.stops.delete(givenUp(minutePartition(minute, shard)));
  }
  const sends = sent > 0 ? sentAgain(what.sends, nowMs) : what.sends;
  return { minute, sent, againMs: isDone ? undefined : nowMs, sends };
}

/** A damaged row keeps its minute open for a day, so that a person hears of it. */
const DAMAGED_MS = DAY_MS;

/** Sorts before every time. */
const FIRST_SK = '0';

/** Begins where the last visit was left: nothing behind that had its message yet. */
async function sweepShard(what: Minute, shard: number, world: Needs) {
  const { table, minute, stops, seenMs, nowMs, stopMs } = what;
  const partition = minutePartition(minute, shard);
  const from = stops.get(partition);
  if (world.clock.nowMs() >= stopMs) {
    if (stops.size < STOPS_MAX) stops.set(partition, from ?? FIRST_SK);
    return { isDone: false, sent: 0 };
  }
  stops.delete(partition);
  let isDone = from === undefined;
  let sent = 0;
  for await (const page of listDue(world.db, { table, partition, from })) {
    isDone &&= isEmpty(page, what, world);
    const needy = page.entries.filter(
      ({ dueMs }) => from !== undefined || needsMessage(dueMs, seenMs, nowMs),
    );
    const isLate = world.clock.nowMs() >= stopMs;
    const entries = isLate ? [] : needy.slice(0, SHARD_MESSAGES_MAX - sent);
    const taken = await sendDue(table, entries, { ...world, nowMs, stopMs });
    sent += taken;
    const stop = needy[taken];
    if (stop) {
      const isSent = taken === entries.length;
      // Sorted by time: behind what is new for the sweeper everything is new.
      const isNew = isSent && !isLate && from === undefined && stop.dueMs >= seenMs;
      const isTaken = isNew && (await handOver({ table, partition, from: stop.dueSk }, world));
      if (!isTaken && stops.size < STOPS_MAX) stops.set(partition, stop.dueSk);
      return { isDone: false, sent };
    }
    if (from === undefined && mayEnd(page, what, world)) return { isDone: false, sent };
  }
  return { isDone, sent };
}

/**
 * Whether the rest of a shard need not be read: all of it had its message once, and none is overdue
 * behind what is not, or the time is up.
 */
function mayEnd({ entries }: DuePage, what: Minute, world: Pick<World, 'clock'>): boolean {
  const { minute, seenMs, nowMs, stopMs } = what;
  const last = entries.at(-1);
  if (!last || (minute + 1) * MINUTE_MS > seenMs) return false;
  return !isOverdue(last.dueMs, nowMs) || world.clock.nowMs() >= stopMs;
}

/**
 * What is left in a shard goes to the dead letters of its queue, where a person is told, and can
 * send it to its room again. A shard that is done is not read again while others are not.
 */
async function giveUpShard(what: Minute, shard: number, world: Needs) {
  const { table, minute, stops, nowMs, stopMs } = what;
  const partition = minutePartition(minute, shard);
  const parking = { ...world, nowMs, stopMs, queues: world.deadLetterQueues };
  const place = givenUp(partition);
  const leave = (dueSk: string) => {
    if (stops.size < STOPS_MAX) stops.set(place, dueSk);
  };
  const from = stops.get(place);
  stops.delete(place);
  stops.delete(partition);
  let sent = 0;
  for await (const { entries } of listDue(world.db, { table, partition, from })) {
    const isLate = world.clock.nowMs() >= stopMs;
    const taken = isLate ? 0 : await sendDue(table, entries, parking);
    sent += taken;
    if (taken > 0) {
      world.log.error('sweep.given-up', { table, minute, rows: taken });
      world.metrics.count('GivenUpRows', taken);
    }
    const left = entries[taken];
    if (left || isLate) {
      leave(left?.dueSk ?? FIRST_SK);
      return { isDone: false, sent };
    }
  }
  leave(LAST_SK);
  return { isDone: true, sent };
}

/** The name of the stop of a shard that is given up: that of its sweep is another place. */
function givenUp(partition: string): string {
  return `given up ${partition}`;
}

/** Whether nothing of a page keeps its minute open. */
function isEmpty(
  { entries, unreadable }: DuePage,
  { table, minute, nowMs }: Minute,
  { log, metrics }: Needs,
): boolean {
  if (unreadable > 0) {
    log.error('sweep.unreadable', { table, minute, rows: unreadable });
    metrics.count('UnreadableRows', unreadable);
  }
  const isHeard = nowMs - minute * MINUTE_MS > DAMAGED_MS;
  return entries.length === 0 && (unreadable === 0 || isHeard);
}

/** Whether the queue took it; else the next tick goes on there itself. */
async function handOver(
  rest: RestMessage,
  { log, queues }: Pick<World, 'log' | 'queues'>,
): Promise<boolean> {
  try {
    const refused = await queues.send('sweeps', [restMessage(rest)]);
    return refused.length === 0;
  } catch (error) {
    log.warn('sweep.send-failed', { queue: 'sweeps', messages: 1, error });
    return false;
  }
}
