import { afterVisits, type MinuteVisit, minutesToVisit } from '../shared/minute-watch.ts';
import { MINUTE_MS } from '../shared/units.ts';
import type { Message, QueueName, TableName, World } from '../shared/world.ts';
import { DUE_SHARDS } from './due.ts';
import { type DueEntry, findSweep, listDue, putSweep, type Sweep } from './sweep.store.ts';
import { HORIZON_MS, messageTimeMs, needsMessage, SETTLING_MS } from './sweep.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'queues'>;

/** A table with an index `due`, and the queue of the room that looks at what is due there. */
interface SweptTable {
  readonly table: TableName;
  readonly queue: QueueName;
}

const SWEPT_TABLES: readonly SweptTable[] = [
  { table: 'deliveries', queue: 'delivery-slow' },
  { table: 'files', queue: 'file-care' },
];

/** What one tick sends per table at most: after an outage the rest leaves with the next ones. */
const MESSAGES_MAX = 20_000;

/**
 * One tick of the sweeper: hands what is due to the rooms, again and again until its item says
 * otherwise. It reads and sends, and changes no item but its own watermarks.
 */
export async function sweepTables(world: Needs): Promise<void> {
  await Promise.all(SWEPT_TABLES.map((it) => sweepTable(it, world)));
}

async function sweepTable({ table, queue }: SweptTable, world: Needs): Promise<void> {
  const nowMs = world.clock.nowMs();
  const settled = minuteOf(nowMs - SETTLING_MS);
  // Before its first tick an installation has nothing that is due.
  const first = { watch: { through: settled, open: [] }, seenMs: 0 };
  const sweep = (await findSweep(world.db, table)) ?? first;
  const visits: MinuteVisit[] = [];
  let { seenMs } = sweep;
  let sent = 0;
  for (const minute of minutesToVisit(sweep.watch, minuteOf(nowMs + HORIZON_MS))) {
    const swept = await sweepMinute({ table, queue, minute, sweep, nowMs }, world);
    sent += swept.sent;
    if (!swept.isComplete || sent >= MESSAGES_MAX) break;
    visits.push({ minute, isDone: swept.found === 0 });
    seenMs = Math.max(seenMs, (minute + 1) * MINUTE_MS);
  }
  const watch = afterVisits(sweep.watch, visits, settled);
  await world.db.commit([putSweep(table, { watch, seenMs })]);
  world.log.info('table.swept', { table, minutes: visits.length, sent, ...watch });
}

function minuteOf(ms: number): number {
  return Math.floor(ms / MINUTE_MS);
}

interface Minute extends SweptTable {
  readonly minute: number;
  readonly sweep: Sweep;
  readonly nowMs: number;
}

interface SweptMinute {
  readonly found: number;
  readonly sent: number;
  /** Everything that needed a message has one. */
  readonly isComplete: boolean;
}

async function sweepMinute(what: Minute, world: Needs): Promise<SweptMinute> {
  const shards = Array.from({ length: DUE_SHARDS }, (_, shard) => shard);
  const swept = await Promise.all(shards.map((shard) => sweepShard(what, shard, world)));
  return {
    found: swept.reduce((sum, it) => sum + it.found, 0),
    sent: swept.reduce((sum, it) => sum + it.sent, 0),
    isComplete: swept.every((it) => it.isComplete),
  };
}

async function sweepShard(what: Minute, shard: number, world: Needs): Promise<SweptMinute> {
  const { table, minute, queue, sweep, nowMs } = what;
  let found = 0;
  let sent = 0;
  for await (const entries of listDue(world.db, { table, minute, shard })) {
    found += entries.length;
    const messages = entries
      .filter(({ dueMs }) => needsMessage(dueMs, sweep.seenMs, nowMs))
      .map((entry) => toMessage(entry, nowMs));
    if (!(await send(queue, messages, world))) return { found, sent, isComplete: false };
    sent += messages.length;
    if (sent >= MESSAGES_MAX / DUE_SHARDS) return { found, sent, isComplete: false };
  }
  return { found, sent, isComplete: true };
}

function toMessage({ pk, sk, dueMs }: DueEntry, nowMs: number): Message {
  return { body: { v: 1, pk, sk, dueMs }, atMs: messageTimeMs(dueMs, nowMs), group: pk };
}

/** Whether the queue took all of them; else the next tick finds the same entries again. */
async function send(
  queue: QueueName,
  messages: readonly Message[],
  { queues, log }: Needs,
): Promise<boolean> {
  if (messages.length === 0) return true;
  try {
    const refused = await queues.send(queue, messages);
    return refused.length === 0;
  } catch (error) {
    log.warn('sweep.send-failed', { queue, messages: messages.length, error });
    return false;
  }
}
