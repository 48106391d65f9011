import { route } from '../shared/http/route.ts';
import { SECOND_MS } from '../shared/units.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { SWEPT_TABLES } from '../timers/due-table.ts';
import { findSweep } from '../timers/sweep.store.ts';
import { findWatches } from '../webhooks/outbox-watch.store.ts';
import { readyRoute } from './contract.ts';
import { type Check, queuesCheck, relayCheck, sweeperCheck } from './readiness.ts';

type Needs = Pick<World, 'clock' | 'db' | 'deadLetters' | 'log'>;

/** Queues of work that has to be done at once. */
const BACKLOG = ['delivery-fast', 'inbox', 'tasks'] as const;

/** Everybody may ask, so each instance looks once in so much time. */
const KEPT_MS = 5 * SECOND_MS;

/** GET /ready, for the instance that this is made for: what it saw is up to five seconds old. */
export function getReady() {
  let seen: { readonly atMs: number; readonly checks: Promise<readonly Check[]> } | undefined;
  return route(readyRoute, async (_call, world: Needs) => {
    const nowMs = world.clock.nowMs();
    if (!seen || Math.abs(nowMs - seen.atMs) >= KEPT_MS) {
      seen = { atMs: nowMs, checks: lookAround(world) };
    }
    const checks = await seen.checks;
    const isReady = checks.every(({ status }) => status === 'ok');
    return {
      status: isReady ? 200 : 503,
      body: {
        status: isReady ? ('ready' as const) : ('degraded' as const),
        time: toInstant(seen.atMs),
        checks: checks.map(viewOf),
      },
    };
  });
}

/** Never throws: what does not answer is a check that failed. */
async function lookAround(world: Needs): Promise<readonly Check[]> {
  const [tables, queues] = await Promise.all([
    orFailed('database', () => lookAtTables(world), world),
    orFailed('queues', () => lookAtQueues(world), world),
  ]);
  return [...tables, ...queues];
}

async function orFailed(
  name: 'database' | 'queues',
  look: () => Promise<readonly Check[]>,
  { log }: Needs,
): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    log.warn('ready.failed', { check: name, error });
    return [{ name, status: 'failed' }];
  }
}

async function lookAtTables({ clock, db }: Needs): Promise<readonly Check[]> {
  const nowMs = clock.nowMs();
  const [watches, sweeps] = await Promise.all([
    findWatches(db),
    Promise.all(SWEPT_TABLES.map((table) => findSweep(db, table))),
  ]);
  const seenMs = sweeps.flatMap((it) => (it ? [it.seenMs] : []));
  return [
    { name: 'database', status: 'ok' },
    relayCheck(watches.relay, nowMs),
    sweeperCheck(seenMs, nowMs),
  ];
}

async function lookAtQueues({ deadLetters }: Needs): Promise<readonly Check[]> {
  const due = await Promise.all(BACKLOG.map((queue) => deadLetters.dueOf(queue)));
  return [queuesCheck(Object.fromEntries(BACKLOG.map((queue, n) => [queue, due[n] ?? 0])))];
}

function viewOf({ sinceMs, ...check }: Check) {
  return { ...check, ...(sinceMs !== undefined && { since: toInstant(sinceMs) }) };
}
