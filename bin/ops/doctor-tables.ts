import { listOutbox, OUTBOX_SHARDS } from '../../functions/events/event.store.ts';
import type { OpenMinute } from '../../functions/shared/minute-watch.ts';
import { minutePartition } from '../../functions/shared/sortable.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import { DUE_SHARDS } from '../../functions/timers/due.ts';
import type { SweptTable } from '../../functions/timers/due-table.ts';
import { findSweep, listDue } from '../../functions/timers/sweep.store.ts';
import { SETTLING_MS } from '../../functions/timers/sweep.ts';
import { findWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { inWords } from './rows.ts';
import type { Symptom } from './symptom.ts';

/** What a quiet tick may be behind, before somebody should look. */
const LATE_MS = 5 * MINUTE_MS;
/** What is due has its message by then. */
const OVERDUE_MS = 2 * MINUTE_MS;
/** Each minute is looked at once at least while it is younger than this. */
const LOOK_BACK_MINUTES = 15;
const OUTBOX_MINUTES_MAX = 120;
/** The oldest of those with work left: one of them is enough to call a person. */
const OPEN_MINUTES_MAX = 60;
/** More of one shard and minute are not counted: a file may have a million users. */
const COUNTED_MAX = 10_000;

/** How many rows there are, and since when: never, if none. */
interface Tally {
  readonly count: number;
  readonly oldestMs: number;
  /** There may be more. */
  readonly isPart: boolean;
}

/** What nobody has relayed, by the marks of the reconciler. Of a long outage it sees a part. */
export async function askOutbox(db: Db, nowMs: number): Promise<Symptom[]> {
  const { relay } = await findWatches(db);
  if (!relay) return [{ about: 'reconciler', seen: 'has not run yet' }];
  const newest = Math.floor((nowMs - MINUTE_MS) / MINUTE_MS);
  const first = Math.max(relay.through + 1, newest - OUTBOX_MINUTES_MAX);
  const next = Array.from({ length: Math.max(0, newest - first + 1) }, (_, at) => first + at);
  const unrelayed = await inAll([...oldestOf(relay.open), ...next], (it) => unrelayedIn(db, it));
  const isPart = relay.open.length > OPEN_MINUTES_MAX || first > relay.through + 1;
  const lateMs = nowMs - (relay.through + 1) * MINUTE_MS;
  const isStopped = lateMs > 3 * LATE_MS;
  const isLate = nowMs - unrelayed.oldestMs > LATE_MS;
  return [
    {
      about: 'reconciler',
      seen: `has passed everything older than ${inWords(lateMs)}`,
      ...(isStopped && { advice: '"A function fails": webhooks/on-reconcile is behind.' }),
    },
    {
      about: 'unrelayed events',
      seen:
        unrelayed.count === 0
          ? 'none'
          : `${atLeast(isPart, unrelayed)}, oldest ${inWords(nowMs - unrelayed.oldestMs)}`,
      ...(isLate && { advice: '"Events are not relayed": nobody has to send anything again.' }),
    },
  ];
}

/** Whose index is looked at, and when. */
export interface Swept {
  readonly table: SweptTable;
  readonly nowMs: number;
}

/** What is overdue in a table, by the marks of the sweeper. Of a long outage it sees a part. */
export async function askDue(db: Db, { table, nowMs }: Swept): Promise<Symptom[]> {
  const sweep = await findSweep(db, table);
  const about = `due in ${table}`;
  if (!sweep) return [{ about, seen: 'the sweeper has not run yet' }];
  const { through, open } = sweep.watch;
  const newest = Math.floor(nowMs / MINUTE_MS);
  const beforeMs = nowMs - OVERDUE_MS;
  const last = Array.from({ length: LOOK_BACK_MINUTES }, (_, at) => newest - at);
  const minutes = [...oldestOf(open), ...last.filter((it) => it * MINUTE_MS < beforeMs)];
  const late = await inAll(minutes, (it) => overdueIn(db, { table, minute: it, beforeMs }));
  const isPart = open.length > OPEN_MINUTES_MAX || newest - through > LOOK_BACK_MINUTES;
  const behindMs = nowMs - (through + 1) * MINUTE_MS - SETTLING_MS;
  const stopped = '"The sweeper does not tick".';
  const stuck = `"A function fails": the worker of what is due in ${table} comes to no end.`;
  const isStuck = nowMs - late.oldestMs > 2 * LATE_MS;
  const advice = behindMs > LATE_MS ? stopped : isStuck ? stuck : undefined;
  const seen =
    late.count === 0
      ? 'nothing overdue'
      : `${atLeast(isPart, late)} overdue, oldest ${inWords(nowMs - late.oldestMs)}`;
  const behind = behindMs > LATE_MS ? `; the sweeper is ${inWords(behindMs)} behind` : '';
  return [{ about, seen: seen + behind, ...(advice !== undefined && { advice }) }];
}

const atLeast = (isPart: boolean, tally: Tally) =>
  `${isPart || tally.isPart ? 'at least ' : ''}${tally.count}`;

function oldestOf(open: readonly OpenMinute[]): readonly number[] {
  const minutes = open.map((it) => it.minute).sort((a, b) => a - b);
  return minutes.slice(0, OPEN_MINUTES_MAX);
}

/** One minute after the other, each once. */
async function inAll(
  minutes: readonly number[],
  look: (minute: number) => Promise<Tally>,
): Promise<Tally> {
  const found: Tally[] = [];
  for (const minute of new Set(minutes)) found.push(await look(minute));
  return sumOf(found);
}

function unrelayedIn(db: Db, minute: number): Promise<Tally> {
  return inShards(OUTBOX_SHARDS, async function* (shard) {
    for await (const { events } of listOutbox(db, minute, shard)) {
      const left = events.filter((it) => it.relayedAtMs === undefined);
      yield left.map((it) => it.occurredAtMs);
    }
  });
}

interface DueMinute {
  readonly table: SweptTable;
  readonly minute: number;
  readonly beforeMs: number;
}

function overdueIn(db: Db, { table, minute, beforeMs }: DueMinute): Promise<Tally> {
  return inShards(DUE_SHARDS, async function* (shard) {
    const partition = minutePartition(minute, shard);
    for await (const { entries } of listDue(db, { table, partition })) {
      yield entries.map((it) => it.dueMs).filter((it) => it < beforeMs);
    }
  });
}

/** What all shards have, by the times of their rows; of a long one its first rows. */
async function inShards(
  shards: number,
  timesOf: (shard: number) => AsyncIterable<readonly number[]>,
): Promise<Tally> {
  const each = Array.from({ length: shards }, async (_, shard) => {
    let [count, oldestMs] = [0, Number.POSITIVE_INFINITY];
    for await (const times of timesOf(shard)) {
      count += times.length;
      for (const ms of times) oldestMs = Math.min(oldestMs, ms);
      if (count >= COUNTED_MAX) return { count, oldestMs, isPart: true };
    }
    return { count, oldestMs, isPart: false };
  });
  return sumOf(await Promise.all(each));
}

function sumOf(tallies: readonly Tally[]): Tally {
  return {
    count: tallies.reduce((sum, it) => sum + it.count, 0),
    oldestMs: Math.min(...tallies.map((it) => it.oldestMs)),
    isPart: tallies.some((it) => it.isPart),
  };
}
