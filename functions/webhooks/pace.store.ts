import * as z from 'zod';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import { type Block, HORIZON_MS, type LearnedRate, type Pace, RESTART_MS, toUs } from './pace.ts';

type Named = Pick<Endpoint, 'tenantId' | 'id'>;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const PaceItem = z.object({
  tat: z.number().optional(),
  blockedUntil: z.number().optional(),
  refusals: z.number().default(0),
  pv: z.number().default(0),
  perSecond: z.number().optional(),
  learned: z.number().optional(),
  learnedAt: z.number().default(0),
});

/** Where the pace of an endpoint lies. */
export function paceKey(tenantId: string, endpointId: string): Key {
  return { pk: `${tenantId}#${endpointId}`, sk: 'PACE' };
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
  };
}

/** The pace of an endpoint as it is now. */
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
export function reserveFrom({ tenantId, id }: Named, slots: Reservation): Write {
  const fromUs = toUs(slots.fromMs);
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = :end',
    answersItem: true,
    condition: `(attribute_not_exists(tat) OR tat <= :from) AND ${isVersion(slots.version)}`,
    values: { ':end': fromUs + slots.spanUs, ':from': fromUs, ...versionValue(slots.version) },
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
    update: 'SET blockedUntil = :until, refusals = :refusals',
    condition: isBlock(seen),
    values: blockValues({ seen, block }),
  };
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
      'SET blockedUntil = :until, refusals = :refusals, tat = :start, pv = :next, ' +
      'learned = :learned, learnedAt = :at',
    condition: `${isBlock(seen)} AND ${isVersion(seen.version)}`,
    values: {
      ...blockValues({ seen, block }),
      ...versionValue(seen.version),
      ':start': toUs(startMs),
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
}

/**
 * Voids all slots and forgets what was learned, because the tenant has changed the limit, or wants
 * the endpoint to work. What is sent before takes a new slot when its time comes. Unconditional.
 * One commit holds one of these at most, and nothing else of the pace.
 */
export function restartPace(
  { tenantId, id }: Named,
  { perSecond, unblocks, nowMs }: PaceRestart,
): Write {
  const set = 'pv = if_not_exists(pv, :none) + :one, perSecond = :limit, tat = :start';
  const forget = `learned, learnedAt${unblocks ? ', blockedUntil, refusals' : ''}`;
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: `SET ${set} REMOVE ${forget}`,
    values: {
      ':none': 0,
      ':one': 1,
      ':limit': perSecond ?? 0,
      ':start': toUs(nowMs + RESTART_MS),
    },
  };
}
