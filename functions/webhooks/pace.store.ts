import * as z from 'zod';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import {
  type Block,
  firstSlotMs,
  HORIZON_MS,
  type LearnedRate,
  type Pace,
  type Paced,
  RESTART_MS,
  type Stretch,
  toUs,
} from './pace.ts';

type Named = Pick<Paced, 'tenantId' | 'id'>;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const PaceItem = z.object({
  tat: z.number().optional(),
  blockedUntil: z.number().optional(),
  refusals: z.number().default(0),
  pv: z.number().default(0),
  perSecond: z.number().optional(),
  learned: z.number().optional(),
  learnedAt: z.number().default(0),
  ahead: z.array(z.object({ fromMs: z.number(), toMs: z.number() })).optional(),
  start: z.number().optional(),
});

/** Where the pace of an endpoint, or of a file, lies. */
export function paceKey(tenantId: string, id: string): Key {
  return { pk: `${tenantId}#${id}`, sk: 'PACE' };
}

/** The pace in a stored item; without one nothing is reserved and nothing is blocked. */
export function toPace(item: Item | undefined): Pace {
  const stored = PaceItem.parse(item ?? {});
  const { learned, learnedAt } = stored;
  return {
    tatUs: stored.tat,
    blockedUntilMs: stored.blockedUntil,
    refusals: stored.refusals,
    version: stored.pv,
    limit: stored.perSecond,
    learned: learned === undefined ? undefined : { perSecond: learned, atMs: learnedAt },
    ahead: stored.ahead,
    startMs: stored.start,
  };
}

/** The pace as it is now. */
export async function findPace(db: Pick<Db, 'get'>, { tenantId, id }: Named): Promise<Pace> {
  return toPace(await db.get('endpoints', paceKey(tenantId, id)));
}

/** Slots to reserve: how long they are together, from when on, and by which pace they were cut. */
export interface Reservation {
  readonly spanUs: number;
  readonly fromMs: number;
  readonly version: number;
}

/** Reserves behind what is reserved. Refused when nothing is, or too much, or by another pace. */
export function reserveBehind({ tenantId, id }: Named, slots: Reservation): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = tat + :span',
    answersItem: true,
    condition: `tat > :from AND tat < :end AND ${isVersion(slots.version)}`,
    values: {
      ':span': slots.spanUs,
      ':from': toUs(slots.fromMs),
      ':end': toUs(slots.fromMs + HORIZON_MS),
      ...versionValue(slots.version),
    },
  };
}

/** Reserves from a time on. Refused when later slots are reserved already, or by another pace. */
export function reserveFrom({ tenantId, id, isFile }: Paced, slots: Reservation): Write {
  const fromUs = toUs(slots.fromMs);
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: `SET v = :v, tat = :end${isFile ? ', #ttl = :ttl' : ''}`,
    answersItem: true,
    condition: `(attribute_not_exists(tat) OR tat <= :from) AND ${isVersion(slots.version)}`,
    ...(isFile && { names: { '#ttl': 'ttl' } }),
    values: {
      ':v': 1,
      ':end': fromUs + slots.spanUs,
      ':from': fromUs,
      ...versionValue(slots.version),
      ...(isFile && { ':ttl': monthAfter(slots.fromMs) }),
    },
  };
}

/**
 * Keeps these stretches for what waits for no backlog. Refused when others are kept than were
 * seen, or by another pace.
 */
export function keepAhead(
  { tenantId, id }: Named,
  seen: Pick<Pace, 'ahead' | 'version'>,
  ahead: readonly Stretch[],
): Write {
  const isSeen = seen.ahead ? 'ahead = :seen' : 'attribute_not_exists(ahead)';
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET v = :v, ahead = :ahead',
    condition: `${isSeen} AND ${isVersion(seen.version)}`,
    values: {
      ...{ ':v': 1, ':ahead': ahead },
      ...(seen.ahead && { ':seen': seen.ahead }),
      ...versionValue(seen.version),
    },
  };
}

/** The pace has version 0 before anything voids slots for the first time. */
function isVersion(version: number): string {
  return version === 0 ? 'attribute_not_exists(pv)' : 'pv = :pv';
}

function versionValue(version: number): Item {
  return version === 0 ? {} : { ':pv': version };
}

/** What a block is, and what was known of the pace when it was decided. */
export interface BlockChange {
  readonly seen: Pace;
  readonly block: Block;
}

/** Blocks an endpoint. Refused when somebody else has; slots are reserved all the time. */
export function blockPace({ tenantId, id }: Named, { seen, block }: BlockChange): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET v = :v, blockedUntil = :until, refusals = :refusals',
    condition: isBlock(seen),
    values: blockValues({ seen, block }),
  };
}

/** Refused when its block is another one by now, or forgotten. */
export function checkBlock(
  { tenantId, id }: Named,
  { blockedUntilMs }: Pick<Pace, 'blockedUntilMs'>,
): Write {
  return {
    kind: 'check',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    condition: 'blockedUntil = :seen',
    values: { ':seen': blockedUntilMs },
  };
}

/** Nothing late is written to the pace of a deleted endpoint, or an old file, after that. */
const RETENTION_MS = 32 * DAY_MS;

/** Lets the pace of an endpoint that is deleted end by itself. */
export function endPace({ tenantId, id }: Named, nowMs: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET v = :v, #ttl = :ttl',
    names: { '#ttl': 'ttl' },
    values: { ':v': 1, ':ttl': monthAfter(nowMs) },
  };
}

function monthAfter(ms: number): number {
  return Math.floor((ms + RETENTION_MS) / SECOND_MS);
}

/** A rate that was learned, and when its first slot is. */
export interface SlowChange extends BlockChange {
  readonly learned: LearnedRate;
  readonly startMs: number;
}

/** Blocks an endpoint and sends slower from now on, by slots that are cut anew. */
export function slowPace(
  { tenantId, id }: Named,
  { seen, block, learned, startMs }: SlowChange,
): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update:
      'SET v = :v, blockedUntil = :until, refusals = :refusals, tat = :tat, #start = :start, ' +
      'pv = :next, learned = :learned, learnedAt = :at REMOVE ahead',
    names: { '#start': 'start' },
    condition: `${isBlock(seen)} AND ${isVersion(seen.version)}`,
    values: {
      ...blockValues({ seen, block }),
      ...versionValue(seen.version),
      ':tat': toUs(firstSlotMs(startMs, learned.perSecond)),
      ':start': startMs,
      ':next': seen.version + 1,
      ':learned': learned.perSecond,
      ':at': learned.atMs,
    },
  };
}

function isBlock({ blockedUntilMs }: Pace): string {
  const isFirst = blockedUntilMs === undefined;
  return isFirst ? 'attribute_not_exists(blockedUntil)' : 'blockedUntil = :seen';
}

function blockValues({ seen, block }: BlockChange): Item {
  const { blockedUntilMs: was } = seen;
  return {
    ':v': 1,
    ':until': block.blockedUntilMs,
    ':refusals': block.refusals,
    ...(was !== undefined && { ':seen': was }),
  };
}

/** What a person has changed. */
export interface PaceRestart {
  /** The endpoint's limit from now on; undefined means none. */
  readonly perSecond: number | undefined;
  /** Whether the receiver is asked again at once, although it wanted to be left alone. */
  readonly unblocks: boolean;
  readonly nowMs: number;
  /** Only while no slot is further away than the first one of what begins. */
  readonly isFree?: boolean | undefined;
}

/**
 * Voids all slots and forgets what was learned, because the tenant has changed the limit, or wants
 * the endpoint to work. What is sent before takes a new slot when its time comes. Unconditional,
 * unless it has to be free. One commit holds one of these at most, and nothing else of the pace.
 */
export function restartPace(
  { tenantId, id }: Named,
  { perSecond, unblocks, nowMs, isFree }: PaceRestart,
): Write {
  const startMs = nowMs + RESTART_MS;
  const set = 'v = :one, pv = if_not_exists(pv, :none) + :one, perSecond = :limit, tat = :tat';
  const forget = `ahead, learned, learnedAt${unblocks ? ', blockedUntil, refusals' : ''}`;
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: `SET ${set}, #start = :start REMOVE ${forget}`,
    ...(isFree && { condition: 'attribute_not_exists(tat) OR tat <= :tat' }),
    names: { '#start': 'start' },
    values: {
      ':none': 0,
      ':one': 1,
      ':limit': perSecond ?? 0,
      ':tat': toUs(firstSlotMs(startMs, perSecond)),
      ':start': startMs,
    },
  };
}
