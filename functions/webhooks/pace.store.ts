import * as z from 'zod';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import { type Block, type Pace, toUs } from './pace.ts';

type Named = Pick<Endpoint, 'tenantId' | 'id'>;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const PaceItem = z.object({
  tat: z.number().optional(),
  blockedUntil: z.number().optional(),
  refusals: z.number().default(0),
});

/** Where the pace of an endpoint lies. */
export function paceKey(tenantId: string, endpointId: string): Key {
  return { pk: `${tenantId}#${endpointId}`, sk: 'PACE' };
}

/** The pace in a stored item; without one nothing is reserved and nothing is blocked. */
export function toPace(item: Item | undefined): Pace {
  const { tat, blockedUntil, refusals } = PaceItem.parse(item ?? {});
  return { tatUs: tat, blockedUntilMs: blockedUntil, refusals };
}

/** The pace of an endpoint as it is now. */
export async function findPace(db: Pick<Db, 'get'>, { tenantId, id }: Named): Promise<Pace> {
  return toPace(await db.get('endpoints', paceKey(tenantId, id)));
}

/** Reserves `spanUs` behind what is reserved already. Refused when nothing is, or it is past. */
export function reserveBehind({ tenantId, id }: Named, spanUs: number, nowMs: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = tat + :span',
    answersItem: true,
    condition: 'tat > :now',
    values: { ':span': spanUs, ':now': toUs(nowMs) },
  };
}

/** Reserves `spanUs` from now on. Refused when later slots are reserved already. */
export function reserveFromNow({ tenantId, id }: Named, spanUs: number, nowMs: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = :end',
    answersItem: true,
    condition: 'attribute_not_exists(tat) OR tat <= :now',
    values: { ':end': toUs(nowMs) + spanUs, ':now': toUs(nowMs) },
  };
}

/** What a block is, and what was known of the pace when it was decided. */
export interface BlockChange {
  readonly seen: Pace;
  readonly block: Block;
}

/** Blocks an endpoint whose free slots lie behind the block. Refused where they do not. */
export function blockBeforeSlots({ tenantId, id }: Named, change: BlockChange): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET blockedUntil = :until, refusals = :refusals',
    condition: `${unchanged(change)} AND tat > :end`,
    values: blockValues(change),
  };
}

/** Blocks an endpoint and frees its next slot after the block. Refused where it is later yet. */
export function blockAndMoveSlots({ tenantId, id }: Named, change: BlockChange): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET blockedUntil = :until, refusals = :refusals, tat = :end',
    condition: `${unchanged(change)} AND (attribute_not_exists(tat) OR tat <= :end)`,
    values: blockValues(change),
  };
}

/** Slots are reserved all the time, so that a block only minds other blocks. */
function unchanged({ seen }: BlockChange): string {
  const isFirst = seen.blockedUntilMs === undefined;
  return isFirst ? 'attribute_not_exists(blockedUntil)' : 'blockedUntil = :seen';
}

function blockValues({ seen, block }: BlockChange): Item {
  return {
    ':until': block.blockedUntilMs,
    ':refusals': block.refusals,
    ':end': toUs(block.blockedUntilMs),
    ':seen': seen.blockedUntilMs,
  };
}
