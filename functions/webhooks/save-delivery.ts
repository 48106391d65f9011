import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Reason, World, Write } from '../shared/world.ts';
import { saveDelivery, toDelivery } from './delivery.store.ts';
import type { Delivery } from './delivery.ts';

/** One step of a delivery, from what was read to what is to be. */
export interface Step {
  readonly before: Delivery;
  readonly after: Delivery;
  /** Written together with it, or not at all. */
  readonly also?: readonly Write[];
}

/** `found` is what somebody else has made of it, where the step lost to a newer record. */
export type Saved =
  | { readonly won: true; readonly delivery: Delivery }
  | { readonly won: false; readonly found?: Delivery };

const ROUNDS = 4;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Stores a step under a new token, if nobody has stored another one since `before` was read.
 * Refuses with `busy` when the table is contended or throttled again and again.
 */
export async function saveStep(
  { clock, db, ids }: Pick<World, 'clock' | 'db' | 'ids'>,
  { before, after, also = [] }: Step,
): Promise<Saved> {
  const delivery = { ...after, token: ids.next('req') };
  for (let round = 0; round < ROUNDS; round += 1) {
    const write = saveDelivery(delivery, before.token || undefined, clock.nowMs());
    const commit = await db.commit([write, ...also]);
    if (commit.ok) return { won: true, delivery };
    if (commit.reasons.some((it) => it.code === 'condition')) {
      return whoWon(commit.reasons, delivery);
    }
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', { detail: 'The delivery is being changed. Try again.' });
}

/** The answer to our own write may have been lost on its way, and the write repeated. */
function whoWon([reason]: readonly Reason[], delivery: Delivery): Saved {
  if (reason?.code !== 'condition' || !reason.item) return { won: false };
  const found = toDelivery(reason.item);
  return found.token === delivery.token ? { won: true, delivery } : { won: false, found };
}
