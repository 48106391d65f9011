import { fullJitterMs } from '../shared/backoff.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { saveDelivery } from './delivery.store.ts';
import type { Delivery } from './delivery.ts';
import { doorOf } from './door.ts';
import { checkStatus, setAside } from './endpoint.store.ts';
import { findPlanned, findWanted, type WantedPage } from './find-wanted.ts';
import { afterStep, finish, giveBack, isGone, type Release, withRestored } from './release.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { tellOrigin } from './settle-delivery.ts';
import { STEP_MAX } from './slow-start.ts';
import { cancel, hold } from './waiting.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'>;

/**
 * One step for an endpoint that is deleted: what was held or put off, or is to be tried again, is
 * sent to nobody. When that is done, what the endpoint leaves is set aside.
 */
export async function endReleaseStep(release: Release, world: Needs): Promise<Release> {
  if (release.kind === 'replay') return finish(release, 'cancelled');
  const search = { ...release, isForAll: true };
  const page = await findWanted(search, undefined, { count: STEP_MAX, world });
  await Promise.all(page.rows.map((before) => change(before, cancel(before), world)));
  const next = after(release, page, { moved: page.rows.length, world });
  if (isGone(next)) await setAside(world.db, release);
  return next;
}

/**
 * One step for a replay that was cancelled: what it has taken up and nobody has claimed becomes
 * what it was before. The replay has not sent that, nor in the end what it had only planned.
 */
export async function endReplayStep(
  release: Release,
  known: KnownEndpoint,
  world: Needs,
): Promise<Release> {
  const wants = { ...release.wants, statuses: ['waiting', 'held'] as const };
  const search = { ...release, wants, paceVersion: undefined };
  const page = await findWanted(search, undefined, { count: STEP_MAX, world });
  const changed = await Promise.all(
    page.rows.map(async (before) => {
      const was = giveBack(before, release);
      return was && (await change(before, was, world)) ? [was] : [];
    }),
  );
  const restored = changed.flat();
  const next = after(release, { ...page, rows: [] }, { moved: -restored.length, world });
  return countOut({ ...next, planned: withRestored(release, restored) }, known, world);
}

/**
 * Whoever had that step is done with it, or dead: what is as it was before was sent by nobody. That
 * may be more than it had counted, where other events of its range have come to be wanted since.
 */
async function countOut(release: Release, known: KnownEndpoint, world: Needs): Promise<Release> {
  const { planned, dueMs, sent } = release;
  if (!planned || dueMs !== undefined) return release;
  const left = await findPlanned(release, known, world);
  const counted = sent - (left.length - (planned.restored ?? 0));
  return { ...release, planned: undefined, sent: Math.max(0, counted) };
}

/**
 * One step where an endpoint was closed: what is in a queue is held, as if it had come through it
 * already. It ends when the endpoint is opened again, whose release looks at the rest.
 */
export async function closeStep(
  release: Release,
  known: KnownEndpoint,
  world: Needs,
): Promise<Release> {
  const door = doorOf(known);
  if (door === 'open' || door === 'breaker_open') return finish(release, 'done');
  const page = await findWanted(release, known, { count: STEP_MAX, world });
  let moved = 0;
  for (let start = 0; start < page.rows.length; start += TOGETHER_MAX) {
    const some = page.rows.slice(start, start + TOGETHER_MAX);
    const held = await holdTogether(some, { reason: door, known, world });
    if (held === undefined) {
      const done = page.rows.slice(0, start);
      const cursor = done.at(-1)?.eventId ?? release.cursor;
      return after(release, { rows: done, cursor, isEnd: false }, { moved, world });
    }
    moved += held;
  }
  return after(release, page, { moved, world });
}

/** What a commit holds, beside the look at the endpoint. */
const TOGETHER_MAX = 99;
const ROUNDS = 6;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

interface Holding {
  readonly reason: string;
  readonly known: KnownEndpoint;
  readonly world: Needs;
}

/**
 * Holds these in one commit: many with the endpoint in each would be in each other's way. Answers
 * how many; of the others somebody else has made something. Undefined when the endpoint is open
 * by now, or others were in the way each time.
 */
async function holdTogether(
  rows: readonly Delivery[],
  { reason, known, world }: Holding,
): Promise<number | undefined> {
  const { clock, db, ids, meters } = world;
  const isClosed = checkStatus(known.endpoint);
  let left = rows;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (left.length === 0) return 0;
    const holds = left.map((it) => {
      const held = { ...hold(it, reason), token: ids.next('req') };
      return saveDelivery(held, it.token || undefined, clock.nowMs());
    });
    const commit = await db.commit([isClosed, ...holds]);
    if (commit.ok) {
      meters.count('tallyhook_deliveries_total', { status: 'held' }, left.length);
      return left.length;
    }
    const [closed, ...reasons] = commit.reasons;
    if (closed?.code === 'condition') return undefined;
    left = left.filter((_, index) => reasons[index]?.code !== 'condition');
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  return undefined;
}

async function change(before: Delivery, next: Delivery, world: Needs): Promise<boolean> {
  const step = await saveStep(world, { before, after: next });
  if (step.won) await tellOrigin(step.delivery, world);
  return step.won;
}

function after(
  release: Release,
  { rows, cursor, isEnd }: WantedPage,
  { moved, world }: { readonly moved: number; readonly world: Needs },
): Release {
  const nowMs = world.clock.nowMs();
  const { perSecond } = release;
  const counts = { matched: rows.length, sent: moved };
  const result = { cursor, isEnd, ...counts, perSecond, nextMs: nowMs + SECOND_MS };
  return afterStep(release, result);
}
