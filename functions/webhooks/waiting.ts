import { DAY_MS, HOUR_MS } from '../shared/units.ts';
import { type Delivery, isFinal, RETENTION_MS } from './delivery.ts';
import type { Slot } from './pace.ts';

/** What is on record so shortly before its end is sent no more. */
const LAST_MS = HOUR_MS;

/**
 * To be sent at its slot, which is too far away for a worker to wait. What would have no record any
 * more by then is looked at a day before its record ends: it takes another slot, or expires.
 */
export function wait(delivery: Delivery, { atMs, version }: Slot, nowMs: number): Delivery {
  const waiting = {
    ...delivery,
    status: 'waiting',
    paceVersion: version,
    reason: undefined,
  } as const;
  if (atMs < delivery.createdAtMs + RETENTION_MS - LAST_MS) return { ...waiting, dueMs: atMs };
  if (!isInLastDay(delivery, nowMs)) return { ...waiting, dueMs: lastDayOf(delivery) };
  return { ...expire(delivery), urgent: undefined, reason: 'backlog_too_long' };
}

/** To be sent as soon as its slot says, whatever keeps others back. */
export function hurry(delivery: Delivery, { atMs, version }: Slot): Delivery {
  return { ...delivery, urgent: true, missed: undefined, dueMs: atMs, paceVersion: version };
}

/** The slot that it has, if any. Also without one it may wait: for its last day. */
export function slotOf(delivery: Delivery): Slot | undefined {
  const { status, urgent, dueMs, paceVersion } = delivery;
  if (dueMs === undefined || dueMs === lastDayOf(delivery)) return undefined;
  if (status === 'waiting') return { atMs: dueMs, version: paceVersion ?? 0 };
  return urgent && paceVersion !== undefined ? { atMs: dueMs, version: paceVersion } : undefined;
}

/** Behind an endpoint that takes nothing now; looked at a day before its record ends. */
export function hold(delivery: Delivery, reason: string): Delivery {
  return { ...delivery, status: 'held', urgent: undefined, dueMs: lastDayOf(delivery), reason };
}

/** Whether its record ends within a day: then it is too late to make it. */
export function isInLastDay(delivery: Delivery, nowMs: number): boolean {
  return nowMs >= lastDayOf(delivery);
}

function lastDayOf({ createdAtMs }: Delivery): number {
  return createdAtMs + RETENTION_MS - DAY_MS;
}

/** Put off until it was too late. */
export function expire(delivery: Delivery): Delivery {
  return { ...delivery, status: 'expired', dueMs: undefined };
}

/** Its event is no more, so that there is nothing to send. */
export function outlive(delivery: Delivery): Delivery {
  return { ...expire(delivery), urgent: undefined, reason: 'event_gone' };
}

/** Its endpoint is no more. What was at an end before a replay took it up is so again. */
export function cancel(delivery: Delivery): Delivery {
  const was = beforeReplay(delivery);
  const isAtEnd = was && isFinal(was) && was.reason !== REPLAY_CANCELLED;
  if (isAtEnd) return was;
  return { ...delivery, status: 'cancelled', dueMs: undefined, reason: 'endpoint_deleted' };
}

/** Why a delivery has ended that a replay made, and that it never sent. */
export const REPLAY_CANCELLED = 'replay_cancelled';

/** The delivery as it was before a replay took it up. Undefined where none has. */
export function beforeReplay(delivery: Delivery): Delivery | undefined {
  if (!delivery.replay) return undefined;
  const { id: _, ...was } = delivery.replay;
  return { ...delivery, ...was, replay: undefined, dueMs: undefined };
}
