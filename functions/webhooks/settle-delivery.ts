import { findEvent, insertEvent } from '../events/event.store.ts';
import type { Cause } from '../events/event.ts';
import { isRetryable, Problem } from '../shared/problem.ts';
import type { World, Write } from '../shared/world.ts';
import type { Attempt } from './attempt.ts';
import { blockEndpoint } from './block-endpoint.ts';
import { insertSample } from './delivery.store.ts';
import { type Delivery, isFinal, LAPSED, settle } from './delivery.ts';
import { MESSAGE_AHEAD_MS_MAX, nextMessage, settledMessage } from './delivery-message.ts';
import { deliveryId, namesOf } from './delivery-name.ts';
import { disableFor } from './disable-endpoint.ts';
import { isReportable } from './endpoint.ts';
import { markHealth } from './mark-health.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { tellQueue, tellQueueAll } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/** A claimed delivery, where it went, how that ended, and what had led to what was sent. */
export interface Ending extends Cause {
  readonly delivery: Delivery;
  readonly known: KnownEndpoint;
  readonly attempt: Attempt;
}

/**
 * Stores the outcome of an attempt, if it is still this worker's to store, and then sends what
 * makes the next step quick: the retry, or the notice to the room that the alert came from.
 */
export async function settleDelivery(ending: Ending, world: Needs): Promise<void> {
  const { delivery, known, attempt } = ending;
  const blockedUntilMs = attempt.throttled ? await block(ending, world) : undefined;
  const nowMs = world.clock.nowMs();
  const next = settle(delivery, attempt, {
    endpoint: known.endpoint,
    nowMs,
    random: world.ids.random(),
    blockedUntilMs,
  });
  const also = exhaustedEvent(next, ending, world);
  const step = { before: delivery, after: next, also, isOutcome: true } as const;
  const saved = await saveStep(world, step);
  logAttempt(ending, saved.won ? next.status : 'overtaken', world);
  if (!saved.won) return;

  await Promise.all([
    keepSample(saved.delivery, attempt, world),
    tellOrigin(saved.delivery, world),
    sendNext(saved.delivery, world),
    markHealth(known, attempt, world),
    heedReceiver(ending, world),
  ]);
}

/** Stores that nobody knows how the attempt of a dead worker ended. */
export async function settleLapsed(
  { delivery, known }: Pick<Ending, 'delivery' | 'known'>,
  world: Needs,
): Promise<void> {
  // Without an answer nothing is disabled: only an event that tells of the end names the cause.
  const isLast = delivery.spent + 1 >= known.endpoint.retry.maxAttempts;
  const cause = isLast ? await findCause(delivery, world) : {};
  await settleDelivery({ delivery, known, attempt: LAPSED, ...cause }, world);
}

/** Nothing where its event cannot be read: that must not keep a delivery from its end. */
async function findCause(delivery: Delivery, { db, log }: Needs): Promise<Cause> {
  try {
    const { alert, tenantId, eventId } = delivery;
    const { traceparent, hops } = alert ?? (await findEvent(db, tenantId, eventId)) ?? {};
    return { traceparent, hops };
  } catch (error) {
    if (error instanceof Problem && isRetryable(error.code)) throw error;
    log.error('delivery.cause-unknown', { ...namesOf(delivery), error });
    return {};
  }
}

/** What led to a webhook. An alert tells it itself. */
function causeOf({ alert }: Delivery, cause: Cause): Cause {
  const { traceparent, hops } = alert ?? cause;
  return { traceparent, hops };
}

/** The next attempt hears the same, so that a failure is only noted. */
async function heedReceiver(ending: Ending, world: Needs): Promise<void> {
  const { delivery, known, attempt } = ending;
  if (!attempt.disable) return;
  const { tenantId, id: endpointId } = known.endpoint;
  try {
    await disableFor(known.endpoint, { reason: 'gone', ...causeOf(delivery, ending) }, world);
  } catch (error) {
    world.log.error('endpoint.disable-failed', { tenantId, endpointId, error });
  }
}

/** Every worker of this instance learns of the block at once, the others within seconds. */
async function block({ known, attempt }: Ending, world: Needs): Promise<number> {
  const { endpoint } = known;
  const untilMs = await blockEndpoint(world, endpoint, attempt);
  world.endpoints.forget(endpoint.tenantId, endpoint.id);
  return untilMs;
}

/** The event that tells of an exhausted one, but for the exhaustion of such an event itself. */
export function exhaustedEvent(
  delivery: Delivery,
  cause: Cause,
  { clock, ids }: Pick<World, 'clock' | 'ids'>,
): Write[] {
  const { tenantId, endpointId, eventId, eventType, status, reason } = delivery;
  if (status !== 'exhausted' || !isReportable(eventType)) return [];
  const id = deliveryId(delivery);
  const facts = { deliveryId: id, endpointId, eventId, eventType, attempts: delivery.seq, reason };
  return [
    insertEvent({
      id: ids.next('evt'),
      tenantId,
      type: 'delivery.exhausted',
      occurredAtMs: clock.nowMs(),
      data: JSON.stringify(facts),
      ...causeOf(delivery, cause),
    }),
  ];
}

/** A lost sample loses no work, so that its failure is only noted. */
async function keepSample(delivery: Delivery, { sample }: Attempt, world: Needs): Promise<void> {
  if (sample === undefined) return;
  try {
    await world.db.commit([insertSample(delivery, sample, world.clock.nowMs())]);
  } catch (error) {
    world.log.warn('delivery.sample-lost', { ...namesOf(delivery), error });
  }
}

/** Sends the message for the next attempt, when a message can wait that long; else `due` does. */
export function sendNext(
  delivery: Delivery,
  world: Pick<World, 'clock' | 'log' | 'queues'>,
): Promise<void> {
  return sendAllNext([delivery], world);
}

/** The same for many deliveries, in as few calls as the queue allows. */
export async function sendAllNext(
  deliveries: readonly Delivery[],
  world: Pick<World, 'clock' | 'log' | 'queues'>,
): Promise<void> {
  const latestMs = world.clock.nowMs() + MESSAGE_AHEAD_MS_MAX;
  const near = deliveries.filter(({ dueMs = Infinity }) => dueMs <= latestMs);
  await tellQueueAll('delivery-slow', near.map(nextMessage), world);
}

/** Tells the file that the alert belongs to, once that has come to its end. */
export async function tellOrigin(
  delivery: Delivery,
  world: Pick<World, 'log' | 'queues'>,
): Promise<void> {
  if (!isFinal(delivery)) return;
  const message = settledMessage(delivery);
  if (message) await tellQueue('file-care', message, world);
}

/** One wide line per attempt. */
export function logAttempt(
  { delivery, attempt, traceparent }: Omit<Ending, 'known'>,
  decision: string,
  { log }: Pick<World, 'log'>,
): void {
  const { eventType, seq, alert } = delivery;
  const { outcome, status, error, ms, retryAfterMs, throttled, disable } = attempt;
  log.info('delivery.attempt', {
    decision,
    ...namesOf(delivery),
    eventType,
    fileId: alert?.origin.fileId,
    attempt: seq,
    outcome,
    status,
    error,
    ms,
    retryAfterMs,
    throttled,
    disable,
    traceparent,
  });
}
