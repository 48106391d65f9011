import { isRetryable, Problem } from '../shared/problem.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Key, World } from '../shared/world.ts';
import { EARLY_MS } from './arrival.ts';
import { MESSAGE_AHEAD_MS_MAX } from './delivery-message.ts';
import { doorOf } from './door.ts';
import { closeStep, endReleaseStep, endReplayStep } from './end-release.ts';
import { checkStatus } from './endpoint.store.ts';
import { findNextWanted, findPlanned, findUnmarked, type WantedPage } from './find-wanted.ts';
import { checkOpen } from './health.store.ts';
import { checkBlock } from './pace.store.ts';
import { limitOf, rateAt } from './pace.ts';
import {
  careMessage,
  countRunning,
  findLater,
  findRelease,
  releaseKey,
  removeRelease,
  saveRelease,
} from './release.store.ts';
import {
  afterStep,
  finish,
  isCovered,
  isGone,
  planStep,
  type Release,
  type StepResult,
} from './release.ts';
import { markSent, releaseRows } from './release-rows.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { nextRate, type Rates, ratesOf, type StepSize, stepOf } from './slow-start.ts';
import { tellQueue } from './tell-queue.ts';
import { tellReplays } from './tell-replays.ts';

export type ReleaseNeeds = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/** A worker that died in the midst of a step is followed by another one after this time. */
const LEASE_MS = 60 * SECOND_MS;
/** The next opening of a closed endpoint tells its replays; besides, each looks once a day. */
const CLOSED_MS = DAY_MS;

/**
 * One step of a release, safe to repeat: only one worker has it, and what a dead one had written
 * is not written again. What holds deliveries ends with an endpoint that is closed again, because
 * its next opening begins another release; a replay waits for that. It also ends where a later
 * one looks after the same, so that there is one slow start; replays divide the share of one.
 */
export async function releaseDeliveries(key: Key, world: ReleaseNeeds): Promise<void> {
  const { clock, db } = world;
  const found = await findRelease(db, key);
  if (found?.dueMs === undefined) return;
  const aheadMs = found.dueMs - clock.nowMs();
  if (aheadMs > EARLY_MS) return;
  if (aheadMs > 0) await clock.sleep(aheadMs);

  const leased = { ...found, isWaiting: undefined, dueMs: clock.nowMs() + LEASE_MS };
  const release = await save(found, leased, world);
  if (!release) return;
  try {
    await workOn(release, world);
  } catch (error) {
    if (error instanceof Problem && isRetryable(error.code)) await endLease(release, world);
    throw error;
  }
}

/** The message comes again in some seconds, and must not find the lease of its own first try. */
async function endLease(leased: Release, world: ReleaseNeeds): Promise<void> {
  const { clock, db, log } = world;
  const { endpointId, kind } = leased;
  try {
    const now = await findRelease(db, releaseKey(leased));
    if (!now || now.dueMs !== leased.dueMs) return;
    await save(now, { ...now, dueMs: clock.nowMs() }, world);
  } catch (error) {
    // Then the lease ends by itself.
    log.warn('release.lease-kept', { endpointId, kind, error });
  }
}

/** One step, and its follower. */
async function workOn(release: Release, world: ReleaseNeeds): Promise<void> {
  const { clock, endpoints } = world;
  const { tenantId, endpointId } = release;
  endpoints.forget(tenantId, endpointId);
  const known = await endpoints.find(tenantId, endpointId);
  const opens = !['replay', 'close'].includes(release.kind) && release.cursor === undefined;
  if (opens && (!known || doorOf(known) === 'open')) await tellReplays(release, world);
  const taken = await takeStep(release, known, world);
  const saved = taken && (await save({ ...release, step: taken.step }, taken, world));
  const isSoon = (saved?.dueMs ?? Infinity) - clock.nowMs() <= MESSAGE_AHEAD_MS_MAX;
  if (saved && isSoon) await tellQueue('endpoint-care', careMessage(saved), world);
}

/** Undefined when somebody else has done this step. */
async function save(
  before: Release,
  after: Release,
  { clock, db }: ReleaseNeeds,
): Promise<Release | undefined> {
  const write = isGone(after) ? removeRelease(before) : saveRelease(before, after, clock.nowMs());
  const commit = await db.commit([write]);
  return commit.ok ? { ...after, step: before.step + 1 } : undefined;
}

/** Undefined when somebody has ended the release meanwhile, or the step is still to be done. */
async function takeStep(
  release: Release,
  known: KnownEndpoint | undefined,
  world: ReleaseNeeds,
): Promise<Release | undefined> {
  if (!known) return endReleaseStep(release, world);
  if (await isOvertaken(release, known, world)) return finish(release, 'done');
  if (release.kind === 'close') return closeStep(release, known, world);
  if (release.status === 'cancelled') return endReplayStep(release, known, world);
  const door = doorOf(known);
  const isProbe = door === 'breaker_open' && known.health.idle === true;
  if (door !== 'open' && release.kind !== 'replay') return finish(release, 'done');
  if (door !== 'open' && !isProbe) return waitForDoor(release, known, world);
  const { share, sinceMs } = await shareOf(release, world);
  return goOn({ ...release, sinceMs }, known, { share, isProbe, world });
}

interface Going {
  readonly share: number;
  readonly isProbe: boolean;
  readonly world: ReleaseNeeds;
}

/** Sends what is next, at the rate of its slow start, or waits until its receiver may be asked. */
async function goOn(
  release: Release,
  known: KnownEndpoint,
  { share, isProbe, world }: Going,
): Promise<Release | undefined> {
  const { endpoint, pace, health } = known;
  const nowMs = world.clock.nowMs();
  const rates = ratesOf(rateAt(limitOf(endpoint, pace), pace, nowMs), share);
  const { blockedUntilMs = 0 } = pace;
  if (blockedUntilMs > nowMs) {
    const slower = { ...release, perSecond: rateOf(release, rates, true), dueMs: blockedUntilMs };
    return release.kind === 'replay' ? waitForBlock(release, slower, { known, world }) : slower;
  }
  const perSecond = rateOf(release, rates, health.streak > 0);
  const paceVersion = release.paceVersion ?? pace.version;
  const begun = { ...release, perSecond, paceVersion };
  const size = isProbe ? PROBE_STEP : stepOf(perSecond, rates);
  // What goes slower than its slots begins with the first of them.
  const isSlower = perSecond < (rates.limit ?? 0);
  const startMs = isSlower ? Math.max(nowMs, pace.startMs ?? 0) : nowMs;
  const step = { world, size, startMs };
  return begun.planned ? finishStep(begun, known, step) : sendStep(begun, known, step);
}

/**
 * How many it sends per second by now. It learns nothing of the receiver as long as it sends
 * nothing; and when it was made, not all was known that limits the endpoint.
 */
function rateOf(release: Release, rates: Rates, isFailing: boolean): number {
  const max = release.sent === 0 ? rates.start : rates.max;
  const perSecond = Math.min(release.perSecond, max);
  if (!release.hasMoved && !isFailing) return perSecond;
  return nextRate({ perSecond }, rates, isFailing);
}

/**
 * By the clocks of two instances the later one may have begun with an older pace: what waits for
 * the slots of this one is nothing to it.
 */
async function isOvertaken(
  release: Release,
  { pace }: KnownEndpoint,
  world: ReleaseNeeds,
): Promise<boolean> {
  if (release.kind === 'replay') return false;
  const { paceVersion = pace.version } = release;
  const knowsPace = (later: Release) => (later.paceVersion ?? Infinity) >= paceVersion;
  return (await findLater(world, release)).some((it) => knowsPace(it) && isCovered(release, it));
}

/** All replays of an endpoint that run divide what one would have. */
async function shareOf(
  { kind, share, ...release }: Release,
  world: ReleaseNeeds,
): Promise<Pick<Release, 'share' | 'sinceMs'>> {
  if (kind !== 'replay') return { share };
  const { count, sinceMs } = await countRunning(world, release);
  return { share: share / Math.max(1, count), sinceMs };
}

/** Until its endpoint's next opening tells it. Not if that has just been: then it looks again. */
async function waitForDoor(
  release: Release,
  { endpoint, health }: KnownEndpoint,
  { clock, db }: ReleaseNeeds,
): Promise<undefined> {
  const nowMs = clock.nowMs();
  const isBroken = endpoint.status === 'active';
  const isClosed = isBroken ? checkOpen(endpoint, health) : checkStatus(endpoint);
  const probeMs = Math.max(health.probeAtMs ?? 0, nowMs + LEASE_MS);
  const next = {
    ...release,
    isWaiting: true,
    dueMs: isBroken ? probeMs : nowMs + CLOSED_MS,
  } as const;
  await db.commit([saveRelease(release, next, nowMs), isClosed]);
  return undefined;
}

/** Until the receiver may be asked again, or somebody says that it may be by now. */
async function waitForBlock(
  release: Release,
  next: Release,
  { known, world }: { readonly known: KnownEndpoint; readonly world: ReleaseNeeds },
): Promise<Release | undefined> {
  const { clock, db } = world;
  const nowMs = clock.nowMs();
  const isBlocked = checkBlock(known.endpoint, known.pace);
  const waiting = { ...next, isWaiting: true } as const;
  const commit = await db.commit([saveRelease(release, waiting, nowMs), isBlocked]);
  // The block has just become another one, or none: so it looks again.
  if (!commit.ok) return { ...release, dueMs: nowMs + SECOND_MS };
  const isSoon = (next.dueMs ?? Infinity) - nowMs <= MESSAGE_AHEAD_MS_MAX;
  const message = careMessage({ ...waiting, step: release.step + 1 });
  if (isSoon) await tellQueue('endpoint-care', message, world);
  return undefined;
}

/** What an open breaker lets through of a replay, where there is nothing else to probe with. */
const PROBE_STEP = { count: 1, lastsMs: 30 * SECOND_MS };

interface Step {
  readonly world: ReleaseNeeds;
  readonly size: StepSize;
  /** Its time does not begin before. */
  readonly startMs: number;
}

async function sendStep(
  release: Release,
  known: KnownEndpoint,
  { world, size: { count, lastsMs }, startMs }: Step,
): Promise<Release | undefined> {
  const page = await findNextWanted(release, known, { count, world });
  const { rows, cursor, isEnd } = page;
  const begun = await plan(release, page, world);
  if (!begun) return undefined;
  // The search may have taken long: the slots begin only now.
  const nowMs = world.clock.nowMs();
  const sent = await releaseRows(rows, { release: begun, known, lastsMs, world });
  if (sent === undefined) return undefined;
  const planned = begun.planned ? rows.length : 0;
  const result: StepResult = {
    ...{ cursor, isEnd, perSecond: release.perSecond },
    ...{ matched: rows.length - planned, sent: sent - planned },
    // A page without anything to send takes no time.
    nextMs: rows.length > 0 ? Math.max(startMs, nowMs) + lastsMs : nowMs + SECOND_MS,
  };
  const { kind, endpointId } = release;
  world.log.info('release.step', { endpointId, kind, ...result, rows: rows.length });
  return afterStep(begun, result);
}

/** Counts what is about to be sent, where a tenant looks at the counts. */
async function plan(
  release: Release,
  { rows, cursor }: WantedPage,
  world: ReleaseNeeds,
): Promise<Release | undefined> {
  const first = rows[0]?.eventId;
  if (release.kind !== 'replay' || first === undefined || cursor === undefined) return release;
  const counted = { count: rows.length, first, through: cursor };
  return save(release, planStep(release, counted), world);
}

/** What a worker that died has counted and not sent, and not told the events. */
async function finishStep(
  release: Release,
  known: KnownEndpoint,
  { world, size: { lastsMs }, startMs }: Step,
): Promise<Release | undefined> {
  const unmarked = await findUnmarked(release, world);
  await Promise.all(unmarked.map((it) => markSent(it, world)));
  const rows = await findPlanned(release, known, world);
  const { perSecond, cursor } = release;
  const nowMs = world.clock.nowMs();
  const sent = await releaseRows(rows, { release, known, lastsMs, world });
  if (sent === undefined) return undefined;
  const nextMs = Math.max(startMs, nowMs) + lastsMs;
  const nothing = { matched: 0, sent: 0, isEnd: false };
  return afterStep(release, { ...nothing, cursor, perSecond, nextMs });
}
