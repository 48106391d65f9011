import * as z from 'zod';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { Endpoint } from './endpoint.ts';
import type { Pace } from './pace.ts';

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
  return { tatMs: tat, blockedUntilMs: blockedUntil, refusals };
}

/** The pace of an endpoint as it is now. */
export async function findPace(db: Pick<Db, 'get'>, { tenantId, id }: Named): Promise<Pace> {
  return toPace(await db.get('endpoints', paceKey(tenantId, id)));
}

/** Reserves `spanMs` behind what is reserved already. Refused when nothing is, or it is past. */
export function reserveBehind({ tenantId, id }: Named, spanMs: number, nowMs: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = tat + :span',
    condition: 'tat > :now',
    values: { ':span': spanMs, ':now': nowMs },
  };
}

/** Reserves `spanMs` from now on. Refused when later slots are reserved already. */
export function reserveFromNow({ tenantId, id }: Named, spanMs: number, nowMs: number): Write {
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = :end',
    condition: 'attribute_not_exists(tat) OR tat <= :now',
    values: { ':end': nowMs + spanMs, ':now': nowMs },
  };
}

/** Replaces the pace `seen`. Refused when anybody has changed it since. */
export function replacePace({ tenantId, id }: Named, seen: Pace, pace: Pace): Write {
  const unchanged = Object.entries({ tat: seen.tatMs, blockedUntil: seen.blockedUntilMs }).map(
    ([name, value]) =>
      value === undefined ? `attribute_not_exists(${name})` : `${name} = :seen_${name}`,
  );
  return {
    kind: 'update',
    table: 'endpoints',
    key: paceKey(tenantId, id),
    update: 'SET tat = :tat, blockedUntil = :until, refusals = :refusals',
    condition: unchanged.join(' AND '),
    values: {
      ':tat': pace.tatMs,
      ':until': pace.blockedUntilMs,
      ':refusals': pace.refusals,
      ':seen_tat': seen.tatMs,
      ':seen_blockedUntil': seen.blockedUntilMs,
    },
  };
}
