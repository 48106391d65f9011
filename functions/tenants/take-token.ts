import { SECOND_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import { LEASE_MS, type Lease, leaseOf, NO_LEASE, nextUs } from './lease.ts';
import { clockOf, reserveBehind, reserveFromNow, tatOf } from './rate-limit.store.ts';
import {
  isBehind,
  leaseSize,
  mayQueue,
  QUEUE_MS,
  type RateLimit,
  reservedUs,
  SKEW_US,
  spanUs,
  tokensIn,
  toUs,
  waitForMs,
} from './rate-limit.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'metrics'>;

/** Whether a request may go on, and what is left for those after it. */
export interface Turn {
  readonly isFree: boolean;
  /** Tokens left, as far as this instance knows. */
  readonly remaining: number;
  /** When not free: in how many milliseconds it may be. */
  readonly waitMs: number;
}

/** Takes one token of the bucket with this name. */
export type TakeToken = (world: Needs, name: string, limit: RateLimit) => Promise<Turn>;

interface Named {
  readonly name: string;
  readonly limit: RateLimit;
}

/** What an instance knows of a bucket. */
interface Bucket {
  lease: Lease;
  /** How many requests wait for a token, and the one reservation for all of them. */
  waiting: number;
  refill: Promise<void> | undefined;
  /** How many requests have come since this time, and how many a second before it. */
  asked: number;
  measuredFromMs: number;
  perSecond: number;
  /** The same, levelled over a second; undefined before anything was measured. */
  steadily: number | undefined;
  /** Up to when tokens were reserved, when it was last seen, and by this instance alone since. */
  tatUs: number | undefined;
  /** Whether others had reserved behind what was known here, the last time. */
  isCrowded: boolean;
  /** By how much the fastest clock that has written to the bucket is ahead of this instance's. */
  aheadUs: number;
  /** Until then asking again is in vain. */
  blockedUntilMs: number;
  /** Until then the table is not asked, because it did not answer. */
  aloneUntilMs: number;
}

const NOTHING_KNOWN = {
  lease: NO_LEASE,
  tatUs: undefined,
  isCrowded: false,
  blockedUntilMs: 0,
  aloneUntilMs: 0,
};
const BUCKETS_MAX = 10_000;
/** In how much time requests are counted, to tell how many tokens to reserve. */
const MEASURED_MS = 250;
/** Two forms of one write exclude each other, and others reserve at the same moment. */
const ROUNDS = 5;
/** A token may have accrued while a slow table was asked; the next may go to others again. */
const TRIES = 3;
/** After a failure the table is not asked about this bucket for so long. */
const ALONE_MS = 5 * SECOND_MS;

/**
 * The tokens of all buckets as one instance takes them. It reserves several by one conditional
 * write and spends them without a further one; while a bucket is empty nothing is written. When
 * the table does not answer for a bucket, the instance counts its own requests against the whole
 * limit: nobody who keeps to it is refused for the outage, and nobody has no limit for it.
 */
export function tokenTaker(): TakeToken {
  const buckets = new Map<string, Bucket>();

  return async (world, name, limit) => {
    const nowMs = world.clock.nowMs();
    const bucket = buckets.get(name) ?? newBucket(nowMs);
    if (buckets.size >= BUCKETS_MAX && !buckets.has(name)) buckets.clear();
    buckets.set(name, bucket);
    count(bucket, nowMs);
    return spend(bucket, limit, nowMs) ?? (await waitForToken(bucket, { name, limit }, world));
  };
}

/** Whoever finds no token while a reservation is being made waits for that one. */
async function waitForToken(bucket: Bucket, named: Named, world: Needs): Promise<Turn> {
  const { limit } = named;
  bucket.waiting += 1;
  try {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      bucket.refill ??= refill(bucket, named, world);
      await bucket.refill;
      const nowMs = world.clock.nowMs();
      // However long it took: these tokens were reserved for those who wait.
      const turn = takeReserved(bucket, limit, timeOf(bucket, nowMs));
      const answer = turn ?? spend(bucket, limit, nowMs);
      if (answer) return answer;
    }
    return refused(SECOND_MS / limit.perSecond);
  } finally {
    bucket.waiting -= 1;
  }
}

/** Leaves tokens in the bucket, or the knowledge that there are none, or that nobody answers. */
async function refill(bucket: Bucket, named: Named, world: Needs): Promise<void> {
  try {
    await reserve(bucket, named, world);
  } catch (error) {
    const nowMs = world.clock.nowMs();
    Object.assign(bucket, { lease: NO_LEASE, aloneUntilMs: nowMs + ALONE_MS });
    world.log.error('rate_limit.alone', { bucket: named.name, error });
    world.metrics.count('RateLimitsAlone');
  } finally {
    bucket.refill = undefined;
  }
}

function newBucket(nowMs: number): Bucket {
  const demand = { asked: 0, measuredFromMs: nowMs, perSecond: 0, steadily: undefined };
  return { ...NOTHING_KNOWN, waiting: 0, refill: undefined, aheadUs: 0, ...demand };
}

function count(bucket: Bucket, nowMs: number): void {
  const forMs = nowMs - bucket.measuredFromMs;
  // What was known until now is by another clock.
  if (forMs < 0) Object.assign(bucket, NOTHING_KNOWN, { measuredFromMs: nowMs });
  if (forMs >= MEASURED_MS) {
    bucket.perSecond = (bucket.asked * SECOND_MS) / forMs;
    const { perSecond, steadily = perSecond } = bucket;
    bucket.steadily = steadily + (perSecond - steadily) * Math.min(1, forMs / SECOND_MS);
    bucket.asked = 0;
    bucket.measuredFromMs = nowMs;
  }
  bucket.asked += 1;
}

/** Without the table: a reserved token, or the memory that there is none, or what is known. */
function spend(bucket: Bucket, limit: RateLimit, nowMs: number): Turn | undefined {
  const nowUs = timeOf(bucket, nowMs);
  const turn = nowUs < bucket.lease.untilUs ? takeReserved(bucket, limit, nowUs) : undefined;
  if (turn) return turn;
  if (nowMs < bucket.blockedUntilMs) return refused(bucket.blockedUntilMs - nowMs);
  return nowMs < bucket.aloneUntilMs ? takeAlone(bucket, limit, nowMs) : undefined;
}

/** Whoever has reserved tokens that have not accrued waits for these. */
function takeReserved({ lease }: Bucket, limit: RateLimit, nowUs: number): Turn | undefined {
  if (lease.left < 1) return undefined;
  const earlyUs = nextUs(lease, limit) - nowUs;
  if (earlyUs > 0) return refused(Math.ceil(earlyUs / 1_000));
  lease.left -= 1;
  return free(lease.readyUs > nowUs ? 0 : lease.left + lease.others);
}

function free(remaining: number): Turn {
  return { isFree: true, remaining, waitMs: 0 };
}

function refused(waitMs: number): Turn {
  return { isFree: false, remaining: 0, waitMs };
}

/**
 * All rounds are for the moment of the first. So whoever was faster has reserved up to a later
 * time, the next round comes behind that, and where none was left then, none is waited for.
 */
async function reserve(bucket: Bucket, named: Named, world: Needs): Promise<void> {
  const { name, limit } = named;
  const knownUs = bucket.tatUs;
  const firstMs = world.clock.nowMs();
  let nowMs = firstMs;
  let wasBehind = false;
  bucket.lease = NO_LEASE;
  for (let round = 0; round <= ROUNDS; round += 1) {
    const freshMs = world.clock.nowMs();
    // Of a slow table's rounds each is for another moment: others may have been faster each time.
    const isSlow = Math.abs(freshMs - firstMs) > LEASE_MS;
    if (Math.abs(freshMs - nowMs) > LEASE_MS) nowMs = freshMs;
    const nowUs = timeOf(bucket, nowMs);
    const { count, queueMs } = choose(bucket, limit, { isFirst: round === 0, nowUs });
    // How long ago the faster clock wrote is not known, so this one may still be behind it.
    if (wasBehind && tokensIn(limit, bucket.tatUs, nowUs) < 1) {
      return letPass(bucket, { name, tokens: 1 }, world);
    }
    const isLost = count < 1 || (isSlow && round === ROUNDS);
    if (isLost) return void block(bucket, { limit, wanted: sizeFor(bucket, limit) }, nowMs);
    if (round === ROUNDS) return letPass(bucket, { name, tokens: count }, world);
    const comesBehind = isBehind(limit, bucket.tatUs, nowUs) || (round === 0 && bucket.isCrowded);
    const form = comesBehind ? reserveBehind : reserveFromNow;
    const commit = await world.db.commit([form({ name, limit, count, queueMs, nowUs, nowMs })]);
    const item = commit.ok ? commit.item : commit.reasons[0]?.item;
    wasBehind = look(bucket, { name, item }, world) || wasBehind;
    if (!commit.ok) continue;
    const tatUs = bucket.tatUs ?? nowUs;
    bucket.isCrowded = comesBehind && tatUs - spanUs(count, limit) !== knownUs;
    bucket.lease = leaseOf(limit, count, { tatUs, nowUs });
    return;
  }
}

/**
 * How many tokens to reserve: of those that are there, or where these are too few, the next ones
 * that accrue, as long as they do so soon. None where neither can be had.
 */
function choose(
  bucket: Bucket,
  limit: RateLimit,
  { isFirst, nowUs }: { readonly isFirst: boolean; readonly nowUs: number },
): { readonly count: number; readonly queueMs: number } {
  const size = sizeFor(bucket, limit);
  const known = { tatUs: bucket.tatUs, nowUs };
  const there = tokensIn(limit, known.tatUs, nowUs);
  // For all who wait at once; if others are faster, for as many as they leave to everybody.
  const wanted = Math.min(Math.max(size, isFirst ? bucket.waiting : 1), there);
  if (wanted > size || !mayQueue(limit, bucket.steadily ?? 0)) {
    return { count: wanted, queueMs: 0 };
  }
  const isFar = waitForMs(limit, size, known) > QUEUE_MS;
  return { count: isFar ? 0 : size, queueMs: QUEUE_MS };
}

/**
 * Remembers the bucket as it is, and goes by its clock where that is ahead. So all instances go by
 * the fastest, and a wrong one changes neither what accrues nor what is reserved. True when the
 * clocks did not agree.
 */
function look(
  bucket: Bucket,
  { name, item }: { readonly name: string; readonly item: Item | undefined },
  { clock, log, metrics }: Needs,
): boolean {
  const nowUs = timeOf(bucket, clock.nowMs());
  const behindUs = Math.max(0, (clockOf(item) ?? nowUs) - nowUs);
  bucket.tatUs = tatOf(item);
  bucket.aheadUs += behindUs;
  if (behindUs <= SKEW_US) return false;
  log.warn('rate_limit.clocks_differ', { bucket: name, behindMs: Math.round(behindUs / 1_000) });
  metrics.count('RateLimitClocksDiffer');
  return true;
}

/** What time it is for the bucket, in microseconds. */
function timeOf({ aheadUs }: Bucket, nowMs: number): number {
  return toUs(nowMs) + aheadUs;
}

/** Not being able to reserve is no reason for a refusal where there may be tokens. */
function letPass(
  bucket: Bucket,
  { name, tokens }: { readonly name: string; readonly tokens: number },
  { log, metrics }: Needs,
): void {
  const count = Math.min(tokens, bucket.waiting);
  bucket.lease = { ...NO_LEASE, left: count };
  log.warn('rate_limit.unreserved', { bucket: name, count });
  metrics.count('RateLimitsUnreserved', count);
}

/** One token of those that were left when the table was last seen, without telling others. */
function takeAlone(bucket: Bucket, limit: RateLimit, nowMs: number): Turn {
  const nowUs = timeOf(bucket, nowMs);
  if (tokensIn(limit, bucket.tatUs, nowUs) < 1) return block(bucket, { limit, wanted: 1 }, nowMs);
  bucket.tatUs = reservedUs(limit, 1, { ...bucket, nowUs });
  return free(tokensIn(limit, bucket.tatUs, nowUs));
}

/** Until as many are there as are wanted: one by one each would cost a write of its own. */
function block(
  bucket: Bucket,
  { limit, wanted }: { readonly limit: RateLimit; readonly wanted: number },
  nowMs: number,
): Turn {
  const waitMs = Math.max(1, waitForMs(limit, wanted, { ...bucket, nowUs: timeOf(bucket, nowMs) }));
  bucket.blockedUntilMs = nowMs + waitMs;
  return refused(waitMs);
}

/** What comes in pulses would let the tokens for its peak go to waste in each pause. */
function sizeFor(bucket: Bucket, limit: RateLimit): number {
  const asked = askedPerSecond(bucket);
  return leaseSize(limit, Math.min(asked, bucket.steadily ?? asked));
}

function askedPerSecond({ asked, perSecond }: Bucket): number {
  return Math.max(perSecond, (asked * SECOND_MS) / MEASURED_MS);
}
