import * as z from 'zod';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import type { Db, Write } from '../shared/world.ts';

/** The watermarks of the reconciler, one for each of its checks. */
export interface Watches {
  readonly relay: MinuteWatch;
  readonly recheck: MinuteWatch;
}

const KEY = { pk: 'W#outbox', sk: '#' };

const WatchItem = z.object({ through: z.number(), open: z.array(z.number()) });

/** Stored items are read tolerantly: an unknown field is a later release's. */
const WatchesItem = z.object({ relay: WatchItem, recheck: WatchItem });

/** Unconditional: an older tick that comes late only sets the reconciler back. */
export function putWatches({ relay, recheck }: Watches): Write {
  return { kind: 'put', table: 'control', item: { ...KEY, v: 1, relay, recheck } };
}

/** Undefined before the first tick. */
export async function findWatches(db: Pick<Db, 'get'>): Promise<Watches | undefined> {
  const item = await db.get('control', KEY);
  return item && WatchesItem.parse(item);
}
