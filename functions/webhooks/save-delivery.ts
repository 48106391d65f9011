import { fullJitterMs } from '../shared/backoff.ts';
import type { Meters } from '../shared/meters.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Commit, Reason, World, Write } from '../shared/world.ts';
import { saveDelivery, toDelivery } from './delivery.store.ts';
import type { Delivery } from './delivery.ts';

/** One step of a delivery, from what was read to what is to be. */
export interface Step {
  readonly before: Delivery;
  readonly after: Delivery;
  /** Written together with it, or not at all. */
  readonly also?: readonly Write[];
  /** What is forgotten of a send is sent again: it is worth the patience of some seconds. */
  readonly isOutcome?: true;
}

/** `found` is what somebody else has made of it, where the step lost to a newer record. */
export type Saved =
  | { readonly won: true; readonly delivery: Delivery }
  | { readonly won: false; readonly found?: Delivery };

const ROUNDS = 4;
const OUTCOME_ROUNDS = 12;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Stores a step under a new token, if nobody has stored another one since `before` was read.
 * Refuses with `busy` when the table is contended or throttled again and again, or as the table
 * does while it is out of order.
 */
export async function saveStep(
  { clock, db, ids, meters }: Pick<World, 'clock' | 'db' | 'ids' | 'meters'>,
  { before, after, also = [], isOutcome }: Step,
): Promise<Saved> {
  const delivery = { ...after, token: ids.next('req') };
  const rounds = isOutcome ? OUTCOME_ROUNDS : ROUNDS;
  for (let round = 0; round < rounds; round += 1) {
    const write = saveDelivery(delivery, before.token || undefined, clock.nowMs());
    const isLast = !isOutcome || round === rounds - 1;
    const commit = await db.commit([write, ...also]).catch((error: unknown): Commit => {
      if (isLast || !(error instanceof Problem) || !isRetryable(error.code)) throw error;
      return { ok: false, reasons: [{ code: 'other' }] };
    });
    if (commit.ok) {
      countStep({ before, after }, clock.nowMs(), meters);
      return { won: true, delivery };
    }
    if (commit.reasons.some((it) => it.code === 'condition')) {
      return whoWon(commit.reasons, delivery);
    }
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', { detail: 'The delivery is being changed. Try again.' });
}

/** A first attempt tells how quick all of this is; what comes later waits for its receiver. */
function countStep({ before, after }: Step, nowMs: number, meters: Meters): void {
  const { status, seq, createdAtMs, alert } = after;
  const isNew = before.token === '';
  if (isNew || status !== before.status) meters.count('tallyhook_deliveries_total', { status });
  const secondsSince = (ms: number) => Math.max(0, nowMs - ms) / SECOND_MS;
  if (status === 'inflight') {
    meters.observe('tallyhook_delivery_lag_seconds', secondsSince(before.dueMs ?? createdAtMs));
  }
  // Alerts of a file wait for their turn, and for people.
  if (status === 'delivered' && seq === 1 && !alert) {
    meters.observe('tallyhook_delivery_age_seconds', secondsSince(createdAtMs));
  }
}

/** The answer to our own write may have been lost on its way, and the write repeated. */
function whoWon([reason]: readonly Reason[], delivery: Delivery): Saved {
  if (reason?.code !== 'condition' || !reason.item) return { won: false };
  const found = toDelivery(reason.item);
  return found.token === delivery.token ? { won: true, delivery } : { won: false, found };
}
