import * as z from 'zod';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import type { Db, Write } from '../shared/world.ts';

/** The watermarks of the reconciler, one for each of its checks that has had a tick. */
export interface Watches {
  readonly relay?: MinuteWatch | undefined;
  readonly recheck?: MinuteWatch | undefined;
}

const KEY = { pk: 'W#outbox', sk: '#' };

const OpenItem = z.object({
  minute: z.number(),
  againMs: z.number(),
  isDamaged: z.boolean().optional(),
  stop: z
    .object({ shard: z.number(), sk: z.string(), isDone: z.boolean(), isDamaged: z.boolean() })
    .optional(),
});
const WatchItem = z.object({ through: z.number(), open: z.array(OpenItem) });

/** Stored items are read tolerantly: an unknown field is a later release's. */
const WatchesItem = z.object({ relay: WatchItem.optional(), recheck: WatchItem.optional() });

/** Unconditional: an older tick that comes late only sets the reconciler back. */
export function putWatches({ relay, recheck }: Watches): Write {
  return { kind: 'put', table: 'control', item: { ...KEY, v: 1, relay, recheck } };
}

/** After its first ticks. */
type Both = { readonly [Check in keyof Watches]-?: MinuteWatch };

/** Where a watch is set back to. */
export interface SetBack {
  readonly through: number;
  /** Minutes up to that one that are visited again as well. */
  readonly minutes?: readonly number[];
}

/** Sets both back, unless they are before it. Refused when a tick has come since. */
export function setBackWatches({ relay, recheck }: Both, back: SetBack): Write {
  return {
    kind: 'update',
    table: 'control',
    key: KEY,
    update: `SET relay.#through = :relay, relay.#open = list_append(relay.#open, :relayOpen), \
recheck.#through = :recheck, recheck.#open = list_append(recheck.#open, :recheckOpen)`,
    condition: 'relay.#through = :relayWas AND recheck.#through = :recheckWas',
    names: { '#through': 'through', '#open': 'open' },
    values: {
      ':relay': Math.min(relay.through, back.through),
      ':recheck': Math.min(recheck.through, back.through),
      ':relayOpen': opened(relay, back),
      ':recheckOpen': opened(recheck, back),
      ':relayWas': relay.through,
      ':recheckWas': recheck.through,
    },
  };
}

function opened(watch: MinuteWatch, back: SetBack): MinuteWatch['open'] {
  return minutesToOpen(watch, back).map((minute) => ({ minute, againMs: 0 }));
}

/** What a watch that is set back does not visit by itself. */
export function minutesToOpen(
  { through, open }: MinuteWatch,
  { through: back, minutes = [] }: SetBack,
): number[] {
  // One that was left in its midst is visited as a whole: the entry that comes later counts.
  const known = new Set(open.filter((it) => !it.stop).map((it) => it.minute));
  return minutes.filter((it) => it <= Math.min(through, back) && !known.has(it));
}

/** Empty before the first tick. */
export async function findWatches(db: Pick<Db, 'get'>): Promise<Watches> {
  return WatchesItem.parse((await db.get('control', KEY)) ?? {});
}
