import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Item, Write } from '../shared/world.ts';

/** Events of a tenant's day, by the day since 1970. */
export interface QuotaReservation {
  readonly tenantId: string;
  readonly day: number;
  readonly count: number;
  readonly limit: number;
}

/** Reserves so many events of the day, or none: refused when fewer are left. */
export function reserveEvents({ tenantId, day, count, limit }: QuotaReservation): Write {
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10);
  return {
    kind: 'update',
    table: 'control',
    key: { pk: `R#${tenantId}#${date}`, sk: '#' },
    update: 'SET v = :v, #ttl = :ttl ADD used :count',
    answersItem: true,
    condition: 'attribute_not_exists(used) OR used <= :room',
    names: { '#ttl': 'ttl' },
    // The day of a clock that is behind may still be written to.
    values: {
      ...{ ':v': 1, ':count': count, ':room': limit - count },
      ':ttl': ((day + 2) * DAY_MS) / SECOND_MS,
    },
  };
}

/** How many events of the day are reserved. */
export function usedOf(item: Item | undefined): number {
  return typeof item?.used === 'number' ? item.used : 0;
}
