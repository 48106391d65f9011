import assert from 'node:assert/strict';
import { timeOfId } from '../shared/ids/ulid.ts';
import { Problem } from '../shared/problem.ts';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { SendError } from '../shared/world.ts';
import type { Attempt } from './attempt.ts';
import type { Endpoint } from './endpoint.ts';
import { spreadBlock } from './pace.ts';
import { LIFETIME_MS, stepMs } from './schedule.ts';

/** One event on its way to one endpoint. */
export interface Delivery {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  /** Number of the last attempt that somebody claimed; 0 before the first. */
  readonly seq: number;
  /** Attempts of the present plan that counted; a receiver that is too busy spends none. */
  readonly spent: number;
  /**
   * Another one after every write, empty before the first: whoever has it, and nobody else, may
   * write next.
   */
  readonly token: string;
  readonly createdAtMs: number;
  /** When the present plan began: its lifetime runs from here. */
  readonly firstAtMs?: number | undefined;
  /** When the last attempt was claimed. */
  readonly claimedAtMs?: number | undefined;
  /** Until when its worker may still be alive. */
  readonly leaseMs?: number | undefined;
  /** When somebody must look at it again. A claim leaves it alone. */
  readonly dueMs?: number | undefined;
  /** While it has a slot: the version of the pace that this belongs to. */
  readonly paceVersion?: number | undefined;
  /**
   * Until it is claimed: a probe, or what a person wants to be sent now. It waits neither for the
   * breaker nor for the backlog.
   */
  readonly urgent?: true | undefined;
  /** While it waits for its turn in a file with a limit of its own: that limit. */
  readonly filePerSecond?: number | undefined;
  /** How many slots it has come too late for, since anything was sent. */
  readonly missed?: number | undefined;
  /** The last 20, the oldest first. */
  readonly attempts: readonly RecordedAttempt[];
  /** The outcome of some attempt is not known, so that each later one may be a repeat. */
  readonly unsure: boolean;
  readonly reason?: string | undefined;
  /** While it waits or is held because of a replay: which one, and what it was before. */
  readonly replay?: ReplayMark | undefined;
  /** Where its payload comes from, when that is not an event of the outbox. */
  readonly alert?: AlertSource | undefined;
}

/**
 * `waiting` for its slot, `inflight` while a worker has it, `retrying` later, `held` behind a
 * closed endpoint; the others are final, until a person has them sent again.
 */
export type DeliveryStatus =
  | 'waiting'
  | 'inflight'
  | 'retrying'
  | 'held'
  | 'delivered'
  | 'exhausted'
  | 'uncertain'
  | 'expired'
  | 'cancelled';

/** What a delivery has to become again if its replay is cancelled before it is sent. */
export interface ReplayMark extends Pick<Delivery, 'status' | 'spent' | 'firstAtMs' | 'reason'> {
  readonly id: string;
}

export interface RecordedAttempt {
  readonly n: number;
  readonly atMs: number;
  readonly outcome: 'delivered' | 'failed' | 'unknown';
  readonly status?: number | undefined;
  readonly ms?: number | undefined;
  readonly error?: SendError | undefined;
  readonly nextAtMs?: number | undefined;
  readonly possibleDuplicate?: boolean | undefined;
}

/** The user of a file whom this alert is for, and the bytes of the bucket that hold its data. */
export interface AlertSource {
  readonly origin: { readonly fileId: string; readonly block: number; readonly index: number };
  readonly bodyRef: { readonly key: string; readonly start: number; readonly end: number };
  readonly timestampMs: number;
  /** What its file wants after an unknown outcome; as the endpoint has it if absent. */
  readonly onUnknown?: Endpoint['onUnknown'] | undefined;
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row led to its file. */
  readonly hops?: number | undefined;
}

/** How long a delivery can be looked at; its event lives two days longer. */
export const RETENTION_MS = 30 * DAY_MS;

const ATTEMPTS_KEPT = 20;

/** Why a retry waits: not for its schedule, but for the end of the endpoint's block. */
export const BLOCKED = 'endpoint_blocked';

/** What identifies a delivery before there is any record of it. */
export type NewDelivery = Pick<
  Delivery,
  'tenantId' | 'endpointId' | 'eventId' | 'eventType' | 'alert'
>;

/** A delivery that nobody has touched yet. It is stored for the first time by what comes next. */
export function newDelivery(what: NewDelivery, nowMs: number): Delivery {
  return {
    ...what,
    status: 'waiting',
    seq: 0,
    spent: 0,
    token: '',
    createdAtMs: nowMs,
    attempts: [],
    unsure: false,
  };
}

/** One that should have been made with its event: it ends as if it had, before the event does. */
export function lateDelivery(what: NewDelivery, nowMs: number): Delivery {
  return newDelivery(what, Math.min(nowMs, timeOfId(what.eventId)));
}

/** Whether nobody will look at it again by itself. */
export function isFinal({ status }: Pick<Delivery, 'status'>): boolean {
  return !['waiting', 'inflight', 'retrying', 'held'].includes(status);
}

/** The delivery in the hands of a worker that lives until `leaseMs` at most. */
export function claim(delivery: Delivery, leaseMs: number, nowMs: number): Delivery {
  return {
    ...delivery,
    status: 'inflight',
    seq: delivery.seq + 1,
    firstAtMs: delivery.firstAtMs ?? nowMs,
    claimedAtMs: nowMs,
    leaseMs,
    reason: undefined,
    filePerSecond: undefined,
    // Those who wait like others have one count for each attempt.
    missed: delivery.urgent && delivery.missed,
  };
}

/** The delivery as if the claim had not been, to be looked at soon: nothing was sent. */
export function unclaim(delivery: Delivery, nowMs: number): Delivery {
  return {
    ...delivery,
    status: 'retrying',
    seq: delivery.seq - 1,
    leaseMs: undefined,
    dueMs: nowMs + UNCLAIMED_MS,
    paceVersion: undefined,
  };
}

const UNCLAIMED_MS = 30 * SECOND_MS;

/** What the outcome depends on beside the attempt itself. `random` is in [0, 1). */
export interface Circumstances {
  readonly endpoint: Endpoint;
  readonly nowMs: number;
  readonly random: number;
  /** The endpoint takes nothing until then. */
  readonly blockedUntilMs?: number | undefined;
}

/** The delivery after a claimed attempt: delivered, or when and whether there is another one. */
export function settle(delivery: Delivery, attempt: Attempt, at: Circumstances): Delivery {
  assert(delivery.status === 'inflight', 'only a claimed attempt has an outcome');
  assert(attempt.outcome !== 'abandoned', 'an abandoned attempt has no outcome');
  const spent = delivery.spent + (attempt.throttled ? 0 : 1);
  const isRepeat = delivery.unsure || attempt.repeated === true;
  const unsure = isRepeat || attempt.outcome === 'unknown';
  const next = nextStep({ ...delivery, spent }, attempt, at);
  return {
    ...delivery,
    ...next,
    spent,
    unsure,
    urgent: undefined,
    leaseMs: undefined,
    attempts: [
      ...delivery.attempts,
      {
        n: delivery.seq,
        atMs: delivery.claimedAtMs ?? at.nowMs,
        outcome: attempt.outcome,
        status: attempt.status,
        ms: attempt.ms,
        error: attempt.error,
        nextAtMs: next.dueMs,
        possibleDuplicate: isRepeat || undefined,
      },
    ].slice(-ATTEMPTS_KEPT),
  };
}

/**
 * The delivery of an alert, untouched before, whose first attempt, begun at `startedAtMs`, was made
 * without a record. It may be at its end already, when one attempt was all that it had. `isRepeat`:
 * somebody may have sent it before, so that each later attempt may be a repeat as well.
 */
export function afterFirstAttempt(
  before: Delivery,
  attempt: Attempt,
  at: Circumstances & { readonly startedAtMs: number; readonly isRepeat: boolean },
): Delivery {
  const untouched = { ...before, unsure: at.isRepeat };
  return settle(claim(untouched, at.nowMs, at.startedAtMs), attempt, at);
}

interface Step {
  readonly status: DeliveryStatus;
  readonly dueMs: number | undefined;
  readonly reason?: string | undefined;
}

function nextStep(delivery: Delivery, attempt: Attempt, at: Circumstances): Step {
  const { retry } = at.endpoint;
  const onUnknown = delivery.alert?.onUnknown ?? at.endpoint.onUnknown;
  if (attempt.outcome === 'delivered') return { status: 'delivered', dueMs: undefined };
  if (attempt.outcome === 'unknown' && onUnknown === 'stop') {
    return { status: 'uncertain', dueMs: undefined, reason: 'outcome_unknown' };
  }
  const { throttled } = attempt;
  if (!throttled && delivery.spent >= retry.maxAttempts) {
    return { status: 'exhausted', dueMs: undefined, reason: 'attempts_used_up' };
  }
  const dueMs = at.nowMs + waitMs(delivery, attempt, at);
  const isTooLate = dueMs - (delivery.firstAtMs ?? at.nowMs) > LIFETIME_MS;
  // What was sent again late may have no record any more by then.
  if (isTooLate || dueMs >= delivery.createdAtMs + RETENTION_MS) {
    return { status: 'exhausted', dueMs: undefined, reason: 'too_old' };
  }
  return { status: 'retrying', dueMs, reason: throttled ? BLOCKED : undefined };
}

/** A throttled attempt waits for the end of the block and a little more, so that not all come. */
function waitMs(delivery: Delivery, attempt: Attempt, at: Circumstances): number {
  const askedMs = attempt.retryAfterMs ?? 0;
  if (!attempt.throttled)
    return Math.max(askedMs, stepMs(at.endpoint.retry, delivery.spent, at.random));
  const blockMs = Math.max(askedMs, (at.blockedUntilMs ?? 0) - at.nowMs, SECOND_MS);
  return spreadBlock(blockMs, at.random);
}

/** What an attempt amounts to whose worker died: it may have been sent. */
export const LAPSED: Attempt = { outcome: 'unknown', ms: 0, throttled: false, disable: false };

/**
 * A new attempt at once with a full plan, because a person wants it. Refused with `not_retryable`
 * while a worker has it, for a closed endpoint, and, unless forced, after a success.
 */
export function retryByHand(
  delivery: Delivery,
  endpoint: Endpoint | undefined,
  { force, nowMs }: { readonly force: boolean; readonly nowMs: number },
): Delivery {
  const refuse = (detail: string) => new Problem('not_retryable', { detail });
  if (!endpoint) throw refuse('The endpoint was deleted.');
  if (endpoint.status !== 'active') {
    throw refuse(`The endpoint is ${endpoint.status}: change its status to active first.`);
  }
  if (delivery.status === 'inflight') throw refuse('An attempt is being made right now.');
  if (['delivered', 'cancelled'].includes(delivery.status) && !force) {
    throw refuse(`It is ${delivery.status}; add ?force=true to send it again.`);
  }
  return {
    ...delivery,
    status: 'retrying',
    spent: 0,
    firstAtMs: undefined,
    dueMs: nowMs,
    paceVersion: undefined,
    filePerSecond: undefined,
    reason: undefined,
  };
}
