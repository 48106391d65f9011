import { SECOND_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import { clockOf, reserveBehind, reserveFromNow, tatOf } from './rate-limit.store.ts';
import {
  isBehind,
  LEASE_MS,
  leaseSize,
  type RateLimit,
  reservedUs,
  SKEW_US,
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
  /** Reserved tokens that are not spent, and since when they are reserved. */
  left: number;
  leasedAtMs: number;
  /** How many requests wait for a token, and the one reservation for all of them. */
  waiting: number;
  refill: Promise<void> | undefined;
  /** How many requests have come since this time, and how many a second before it. */
  asked: number;
  measuredFromMs: number;
  perSecond: number;
  /** Up to when tokens were reserved, when it was last seen, and by this instance alone since. */
  tatUs: number | undefined;
  /** By how much the fastest clock that has written to the bucket is ahead of this instance's. */
  aheadUs: number;
  /** The time in which asking again is in vain. */
  blockedFromMs: number;
  blockedUntilMs: number;
  /** The time in which the table is not asked, because it did not answer. */
  aloneFromMs: number;
  aloneUntilMs: number;
}

const BUCKETS_MAX = 10_000;
/** In how much time requests are counted, to tell how many tokens to reserve. */
const MEASURED_MS = 250;
/** Two forms of one write exclude each other, and others reserve at the same moment. */
const ROUNDS = 5;
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
    for (;;) {
      bucket.refill ??= refill(bucket, named, world);
      await bucket.refill;
      const nowMs = world.clock.nowMs();
      // However long it took: these tokens were reserved for those who wait.
      const turn = bucket.left > 0 ? takeReserved(bucket, limit, nowMs) : undefined;
      const answer = turn ?? spend(bucket, limit, nowMs);
      if (answer) return answer;
    }
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
    Object.assign(bucket, { left: 0, aloneFromMs: nowMs, aloneUntilMs: nowMs + ALONE_MS });
    world.log.error('rate_limit.alone', { bucket: named.name, error });
    world.metrics.count('RateLimitsAlone');
  } finally {
    bucket.refill = undefined;
  }
}

function newBucket(nowMs: number): Bucket {
  const never = { blockedFromMs: 0, blockedUntilMs: 0, aloneFromMs: 0, aloneUntilMs: 0 };
  const demand = { asked: 0, measuredFromMs: nowMs, perSecond: 0 };
  const tokens = { left: 0, leasedAtMs: 0, waiting: 0, refill: undefined };
  return { ...tokens, tatUs: undefined, aheadUs: 0, ...demand, ...never };
}

function count(bucket: Bucket, nowMs: number): void {
  const { measuredFromMs, asked } = bucket;
  if (!isWithin(nowMs, measuredFromMs, measuredFromMs + MEASURED_MS)) {
    bucket.perSecond = (asked * SECOND_MS) / Math.max(MEASURED_MS, nowMs - measuredFromMs);
    bucket.asked = 0;
    bucket.measuredFromMs = nowMs;
  }
  bucket.asked += 1;
}

/** A clock that went backward is in no such time. */
function isWithin(nowMs: number, fromMs: number, untilMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs;
}

/** Without the table: a reserved token, or the memory that there is none, or what is known. */
function spend(bucket: Bucket, limit: RateLimit, nowMs: number): Turn | undefined {
  if (bucket.left > 0 && isWithin(nowMs, bucket.leasedAtMs, bucket.leasedAtMs + LEASE_MS)) {
    return takeReserved(bucket, limit, nowMs);
  }
  if (isWithin(nowMs, bucket.blockedFromMs, bucket.blockedUntilMs)) {
    return { isFree: false, remaining: 0, waitMs: bucket.blockedUntilMs - nowMs };
  }
  if (!isWithin(nowMs, bucket.aloneFromMs, bucket.aloneUntilMs)) return undefined;
  return takeAlone(bucket, limit, nowMs);
}

function takeReserved(bucket: Bucket, limit: RateLimit, nowMs: number): Turn {
  bucket.left -= 1;
  return { isFree: true, remaining: remainingIn(bucket, limit, nowMs), waitMs: 0 };
}

async function reserve(bucket: Bucket, named: Named, world: Needs): Promise<void> {
  const { name, limit } = named;
  const ahead = leaseSize(limit, askedPerSecond(bucket));
  let wasBehind = false;
  bucket.left = 0;
  for (let round = 0; round <= ROUNDS; round += 1) {
    const nowMs = world.clock.nowMs();
    const nowUs = timeOf(bucket, nowMs);
    const there = tokensIn(limit, bucket.tatUs, nowUs);
    const tokens = Math.min(Math.max(ahead, bucket.waiting), there);
    // How long ago the faster clock wrote is not known, so this one may still be behind it.
    if (tokens < 1 && wasBehind) return letPass(bucket, { name, tokens: 1, nowMs }, world);
    if (tokens < 1) return void block(bucket, { limit, wanted: ahead }, nowMs);
    if (round === ROUNDS) return letPass(bucket, { name, tokens, nowMs }, world);
    const form = isBehind(limit, bucket.tatUs, nowUs) ? reserveBehind : reserveFromNow;
    const commit = await world.db.commit([form({ name, limit, count: tokens, nowUs, nowMs })]);
    const item = commit.ok ? commit.item : commit.reasons[0]?.item;
    wasBehind = look(bucket, { name, item }, world) || wasBehind;
    if (commit.ok) return void Object.assign(bucket, { left: tokens, leasedAtMs: nowMs });
  }
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
  {
    name,
    tokens,
    nowMs,
  }: { readonly name: string; readonly tokens: number; readonly nowMs: number },
  { log, metrics }: Needs,
): void {
  const count = Math.min(tokens, bucket.waiting);
  Object.assign(bucket, { left: count, leasedAtMs: nowMs });
  log.warn('rate_limit.unreserved', { bucket: name, count });
  metrics.count('RateLimitsUnreserved', count);
}

/** One token of those that were left when the table was last seen, without telling others. */
function takeAlone(bucket: Bucket, limit: RateLimit, nowMs: number): Turn {
  const nowUs = timeOf(bucket, nowMs);
  if (tokensIn(limit, bucket.tatUs, nowUs) < 1) return block(bucket, { limit, wanted: 1 }, nowMs);
  bucket.tatUs = reservedUs(limit, 1, { ...bucket, nowUs });
  return { isFree: true, remaining: remainingIn(bucket, limit, nowMs), waitMs: 0 };
}

/** Until as many are there as are wanted: one by one each would cost a write of its own. */
function block(
  bucket: Bucket,
  { limit, wanted }: { readonly limit: RateLimit; readonly wanted: number },
  nowMs: number,
): Turn {
  const waitMs = Math.max(1, waitForMs(limit, wanted, { ...bucket, nowUs: timeOf(bucket, nowMs) }));
  Object.assign(bucket, { blockedFromMs: nowMs, blockedUntilMs: nowMs + waitMs });
  return { isFree: false, remaining: 0, waitMs };
}

function askedPerSecond({ asked, perSecond }: Bucket): number {
  return Math.max(perSecond, (asked * SECOND_MS) / MEASURED_MS);
}

function remainingIn(bucket: Bucket, limit: RateLimit, nowMs: number): number {
  return bucket.left + tokensIn(limit, bucket.tatUs, timeOf(bucket, nowMs));
}
