import type { TickTime } from '../shared/aws/schedule.ts';
import { type MinuteVisit, type Sends, watchMinutes } from '../shared/minute-watch.ts';
import { minutePartition } from '../shared/sortable.ts';
import { DAY_MS, MINUTE_MS } from '../shared/units.ts';
import type { Message, QueueName, TableName, World } from '../shared/world.ts';
import { DUE_SHARDS } from './due.ts';
import {
  type DueEntry,
  type DuePage,
  findSweep,
  LAST_SK,
  listDue,
  putSweep,
  type Sweep,
} from './sweep.store.ts';
import {
  HORIZON_MS,
  isQuiet,
  isStuck,
  messageTimeMs,
  needsMessage,
  SETTLING_MS,
  sentAgain,
} from './sweep.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'metrics' | 'queues' | 'deadLetterQueues'>;

/** Each table with an index `due`, and the queue of the room that looks at what is due there. */
const QUEUES = {
  deliveries: 'delivery-slow',
  endpoints: 'endpoint-care',
  files: 'file-care',
  ledger: 'hold-expiry',
  control: 'audits',
  tasks: 'tasks',
} as const satisfies Partial<Record<TableName, QueueName>>;

/** A table that is swept. */
export type SweptTable = keyof typeof QUEUES;

const SWEPT_TABLES = Object.keys(QUEUES) as SweptTable[];

/** What one tick sends per minute and shard at most; the next tick goes on behind it. */
const SHARD_MESSAGES_MAX = 1_250;
/** So many shards can be left in their midst; of more, the rest waits until it is overdue. */
const STOPS_MAX = 500;

/**
 * One tick of the sweeper: hands what is due to the rooms, again and again until its item says
 * otherwise. It reads and sends, and changes no item but its own watermarks.
 */
export async function sweepTables(
  world: Needs,
  time: TickTime = { stopMs: Infinity },
): Promise<void> {
  await Promise.all(SWEPT_TABLES.map((it) => sweepTable(it, world, time)));
}

/** What a tick does on one table. */
export async function sweepTable(
  table: SweptTable,
  world: Needs,
  { stopMs }: TickTime = { stopMs: Infinity },
): Promise<void> {
  const nowMs = world.clock.nowMs();
  const settled = minuteOf(nowMs - SETTLING_MS);
  // Before its first tick an installation has nothing that is due.
  const first: Sweep = { watch: { through: settled, open: [] }, seenMs: 0, stops: {}, busy: [] };
  const sweep = (await findSweep(world.db, table)) ?? first;
  const stops = new Map(Object.entries(sweep.stops));
  const sends = new Map(sweep.watch.open.map((it) => [it.minute, it.sends]));
  const busy = new Set(sweep.busy);
  let { seenMs } = sweep;
  let sent = 0;
  const watch = await watchMinutes(world, {
    watch: sweep.watch,
    newest: minuteOf(nowMs + HORIZON_MS),
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
    const isSent = await send(what, entries, world);
    if (isSent) sent += entries.length;
    const stop = isSent ? needy[entries.length] : needy[0];
    if (stop) {
      if (stops.size < STOPS_MAX) stops.set(partition, stop.dueSk);
      return { isDone: false, sent };
    }
  }
  return { isDone, sent };
}

/**
 * What is left in a shard goes to the dead letters of its queue, where a person is told, and can
 * send it to its room again. A shard that is done is not read again while others are not.
 */
async function giveUpShard(what: Minute, shard: number, world: Needs) {
  const { table, minute, stops, stopMs } = what;
  const partition = minutePartition(minute, shard);
  const parking = { log: world.log, queues: world.deadLetterQueues };
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
    const isSent = !isLate && (await send(what, entries, parking));
    if (!isSent) {
      leave(entries[0]?.dueSk ?? FIRST_SK);
      return { isDone: false, sent };
    }
    sent += entries.length;
    world.log.error('sweep.given-up', { table, minute, rows: entries.length });
    world.metrics.count('GivenUpRows', entries.length);
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

function toMessage({ pk, sk, dueMs }: DueEntry, nowMs: number): Message {
  return { body: { v: 1, pk, sk, dueMs }, atMs: messageTimeMs(dueMs, nowMs), group: pk };
}

/** Whether the queue took all of them; else the next tick finds the same entries again. */
async function send(
  { table, nowMs }: Minute,
  entries: readonly DueEntry[],
  { log, queues }: Pick<World, 'log' | 'queues'>,
): Promise<boolean> {
  if (entries.length === 0) return true;
  const queue = QUEUES[table];
  try {
    const refused = await queues.send(
      queue,
      entries.map((it) => toMessage(it, nowMs)),
    );
    return refused.length === 0;
  } catch (error) {
    log.warn('sweep.send-failed', { queue, messages: entries.length, error });
    return false;
  }
}
