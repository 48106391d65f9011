/**
 * A backlog behind a receiver that takes 50 webhooks a second: how often SQS had to hand a message
 * out for each delivery, how long the backlog took, and the most that came in any second. A machine
 * that cannot send so many comes late for their slots, and says nothing about the goal.
 *
 *   node bench/backlog.ts [deliveries] [per second]     20000 for the goal, in about seven minutes
 */
import { join } from 'node:path';
import { openDatabase } from '../local/database.ts';
import { withBenchCloud } from './bench-cloud.ts';
import { type Arrival, startBenchReceiver } from './receiver-thread.ts';

const BACKLOG = Number(process.argv[2] ?? 2_000);
const PER_SECOND = Number(process.argv[3] ?? 50);
const BATCH = 100;

/** Counts what the local SQS hands out, in its own file. */
const SCHEMA = `
PRAGMA busy_timeout = 10000;
CREATE TABLE IF NOT EXISTS handed (n INTEGER NOT NULL);
INSERT INTO handed VALUES (0);
CREATE TRIGGER IF NOT EXISTS count_handed AFTER UPDATE OF receives ON messages
  WHEN NEW.receives > OLD.receives BEGIN UPDATE handed SET n = n + 1; END;
`;

/** The most arrivals within any second, wherever it begins. */
function peakOf(arrivals: readonly Arrival[]): number {
  const times = arrivals.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
  let [first, peak] = [0, 0];
  for (const [last, atMs] of times.entries()) {
    while (atMs - (times[first] ?? 0) >= 1_000) first += 1;
    peak = Math.max(peak, last - first + 1);
  }
  return peak;
}

await withBenchCloud(async ({ api, folder }) => {
  const receiver = await startBenchReceiver();
  const rateLimit = { perSecond: PER_SECOND };
  await api.post('/v1/endpoints', { url: receiver.url, rateLimit });
  const queues = openDatabase(join(folder, 'state', 'sqs.db'), SCHEMA);
  receiver.begin();
  const startMs = performance.now();
  for (let first = 0; first < BACKLOG; first += BATCH) {
    const events = Array.from({ length: BATCH }, (_, at) => ({
      type: 'bench.happened',
      data: { n: first + at },
    }));
    await api.post('/v1/events/batch', { events });
  }
  const { arrivals } = await receiver.reach(BACKLOG);
  const seconds = (performance.now() - startMs) / 1_000;
  const handed = queues.rows<{ n: number }>('SELECT n FROM handed')[0]?.n ?? 0;
  queues.close();
  await receiver.close();

  const ratio = handed / BACKLOG;
  console.log(`receives per delivery: ${ratio.toFixed(3)} (${handed} for ${BACKLOG}); goal 1.05`);
  console.log(`${arrivals.length - BACKLOG} webhooks came twice`);
  const rate = arrivals.length / seconds;
  console.log(`${seconds.toFixed(0)} s: ${rate.toFixed(1)} a second of ${PER_SECOND} allowed`);
  console.log(`at most ${peakOf(arrivals)} in any second`);
});
