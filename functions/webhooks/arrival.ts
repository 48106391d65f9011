import { SECOND_MS } from '../shared/units.ts';
import { type Delivery, isFinal } from './delivery.ts';

/** How long before its time a delivery may be claimed: the worker waits for the rest. */
export const EARLY_MS = 2 * SECOND_MS;

/**
 * Whether an event's relay need not care any more (`done`: at its end or on the index `due`), has
 * to look again (`alive`: a worker has it), or must send again (`lost`: no record, or a dead one).
 */
export function careOf(delivery: Delivery | undefined, nowMs: number): 'done' | 'alive' | 'lost' {
  if (delivery === undefined) return 'lost';
  if (isFinal(delivery) || delivery.dueMs !== undefined) return 'done';
  return hasLapsed(delivery, nowMs) ? 'lost' : 'alive';
}

function hasLapsed({ leaseMs = 0 }: Delivery, nowMs: number): boolean {
  return leaseMs < nowMs;
}

/**
 * What to do with a delivery for which a message came. `claim` it; its worker has died
 * (`lapsed`); its hold has run out (`expired`); or leave it: another worker has it (`busy`), its
 * time has not come (`early`), the outcome is written but its retry perhaps not sent (`echo`), or
 * the message is older than the record (`stale`).
 */
export type Arrival = 'claim' | 'lapsed' | 'expired' | 'busy' | 'early' | 'echo' | 'stale';

/** `seq` is the attempt that the message asks for; the sweeper does not know it. */
export function judgeArrival(delivery: Delivery, seq: number | undefined, nowMs: number): Arrival {
  const { status, dueMs = 0 } = delivery;
  if (isFinal(delivery)) return 'stale';
  if (status === 'inflight') return hasLapsed(delivery, nowMs) ? 'lapsed' : 'busy';
  if (status === 'held') return dueMs <= nowMs ? 'expired' : 'stale';
  if (status === 'retrying' && seq === delivery.seq) return 'echo';
  if (seq !== undefined && seq !== delivery.seq + 1) return 'stale';
  return dueMs > nowMs + EARLY_MS ? 'early' : 'claim';
}
