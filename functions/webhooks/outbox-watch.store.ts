import * as z from 'zod';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import type { Db, Write } from '../shared/world.ts';

/** The watermarks of the reconciler, one for each of its checks that has had a tick. */
export interface Watches {
  readonly relay?: MinuteWatch | undefined;
  readonly recheck?: MinuteWatch | undefined;
}

const KEY = { pk: 'W#outbox', sk: '#' };

const OpenItem = z.object({ minute: z.number(), againMs: z.number() });
const WatchItem = z.object({ through: z.number(), open: z.array(OpenItem) });

/** Stored items are read tolerantly: an unknown field is a later release's. */
const WatchesItem = z.object({ relay: WatchItem.optional(), recheck: WatchItem.optional() });

/** Unconditional: an older tick that comes late only sets the reconciler back. */
export function putWatches({ relay, recheck }: Watches): Write {
  return { kind: 'put', table: 'control', item: { ...KEY, v: 1, relay, recheck } };
}

/** Empty before the first tick. */
export async function findWatches(db: Pick<Db, 'get'>): Promise<Watches> {
  return WatchesItem.parse((await db.get('control', KEY)) ?? {});
}
