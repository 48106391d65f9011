import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { lowerBacklog } from './backlog.store.ts';
import { findBody } from './body.store.ts';
import { claimReceipt, EARLY_MS_MAX, saveEnded, saveRetry, toReceipt } from './receipt.store.ts';
import {
  countAttempts,
  endTries,
  heldUpDelayMs,
  isHeldUp,
  type Receipt,
  type RetryPlan,
  retryDelayMs,
} from './receipt.ts';
import type { ReceiptMessage } from './receipt-message.ts';
import { needsBody, receivedEvent } from './received-event.ts';
import { remindOfReceipt } from './remind-of-receipt.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'metrics' | 'queues'> & {
  readonly retryPlan: RetryPlan;
};

/** A worker that is killed at its deadline is gone by then. */
const LEASE_SPARE_MS = 5 * SECOND_MS;

/**
 * Sends a webhook that was taken in on as an event, once: the event and the end of the receipt are
 * one commit. Whoever has claimed it meanwhile has won. What fails is tried again later, and in the
 * end the receipt is `failed`, where it can be replayed. Others and outages fail nothing.
 */
export async function forwardReceipt(
  message: ReceiptMessage,
  world: Needs,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<void> {
  const receipt = await claim(message, deadlineMs, world);
  if (!receipt) return;
  const { clock, meters } = world;
  const startMs = clock.nowMs();
  try {
    await forward(receipt, world);
  } catch (error) {
    await giveBack(receipt, error, world);
  } finally {
    meters.observe('webhook_processing_duration_seconds', (clock.nowMs() - startMs) / SECOND_MS);
  }
}

/** The receipt, if it waits for an attempt, and this one is the first to make it. */
async function claim(
  { pk, dueMs }: ReceiptMessage,
  deadlineMs: number,
  world: Needs,
): Promise<Receipt | undefined> {
  const mine = world.ids.next('req');
  const nowMs = world.clock.nowMs();
  const untilMs = deadlineMs + LEASE_SPARE_MS;
  // Copies of it that come at this moment are transactions on the same item.
  const commit = await commitDespiteConflicts(world, [
    claimReceipt({ pk, claim: mine, nowMs, untilMs }),
  ]);
  const item = commit.ok ? commit.item : commit.reasons[0]?.item;
  const receipt = item && toReceipt(item);
  // Refused with our own claim in it: the answer to the first try got lost.
  if (receipt?.claim !== mine) {
    if (receipt && isEarly(receipt, dueMs, nowMs)) await remindOfReceipt(receipt, world);
    return undefined;
  }
  const before = receipt.tries.at(-2);
  if (before && before.endedAtMs === undefined) countError('worker_lost', world);
  return receipt;
}

/** Whether this is the message of the next attempt, and the clock of whoever sent it is fast. */
function isEarly({ status, nextAtMs }: Receipt, dueMs: number, nowMs: number): boolean {
  return status === 'pending' && nextAtMs === dueMs && nextAtMs > nowMs + EARLY_MS_MAX;
}

async function forward(receipt: Receipt, world: Needs): Promise<void> {
  const { retryPlan, db, ids, clock } = world;
  // The last attempt was made, and its worker never came back to say so.
  const before = receipt.tries.slice(0, -1);
  if (countAttempts(before) >= retryPlan.maxAttempts) return fail(receipt, before, world);
  const body = needsBody(receipt) ? (receipt.body ?? (await findBody(db, receipt))) : undefined;
  const nowMs = clock.nowMs();
  const eventId = ids.next('evt');
  const event = receivedEvent(receipt, body, { eventId, nowMs });
  const tries = endTries(receipt.tries, { endedAtMs: nowMs });
  const ended: Receipt = { ...receipt, status: 'completed', eventId, tries };
  await end(ended, [insertEvent(event)], world);
}

/** One commit of the end, what belongs to it, and the count of those that are open. */
async function end(ended: Receipt, also: readonly Write[], world: Needs): Promise<void> {
  const { clock, log, meters, metrics } = world;
  const nowMs = clock.nowMs();
  const { counter, tenantId, id: receiptId, status } = ended;
  const counted = counter === undefined ? [] : [lowerBacklog(counter)];
  const writes = [saveEnded(ended, nowMs), ...also, ...counted];
  const commit = await commitDespiteConflicts(world, writes);
  if (!commit.ok) return log.warn('receipt.overtaken', { tenantId, receiptId });
  const lateMs = nowMs - ended.receivedAtMs;
  const isFailed = status === 'failed';
  meters.count('webhook_processed_total', { status: isFailed ? 'failed' : 'completed' });
  if (isFailed) metrics.count('WebhooksFailed');
  const { eventId, traceparent } = ended;
  log.info('receipt.ended', { tenantId, receiptId, status, lateMs, eventId, traceparent });
}

async function fail(receipt: Receipt, tries: Receipt['tries'], world: Needs): Promise<void> {
  await end({ ...receipt, status: 'failed', eventId: undefined, tries }, [], world);
}

/**
 * Says what went wrong, and when it is tried again: or that it is not. What was only held up is,
 * however often.
 */
async function giveBack(receipt: Receipt, error: unknown, world: Needs): Promise<void> {
  const { clock, ids, log, retryPlan } = world;
  const nowMs = clock.nowMs();
  const code = codeOf(error);
  const isOnlyHeldUp = isHeldUp({ error: code });
  const tries = endTries(receipt.tries, { endedAtMs: nowMs, error: code });
  const attempts = countAttempts(tries);
  const { tenantId, id: receiptId } = receipt;
  log.error('receipt.attempt-failed', { tenantId, receiptId, attempts, code, error });
  countError(code, world);
  if (!isOnlyHeldUp && attempts >= retryPlan.maxAttempts) return fail(receipt, tries, world);

  const waitMs = isOnlyHeldUp
    ? heldUpDelayMs(retryPlan, ids.random())
    : retryDelayMs(attempts, retryPlan, ids.random());
  const waiting = { ...receipt, tries, nextAtMs: Math.ceil(nowMs + waitMs) };
  await commitDespiteConflicts(world, [saveRetry(waiting, nowMs)]);
  // Also when that was refused: perhaps only the answer to the first try got lost.
  await remindOfReceipt(waiting, world);
}

/** Why the processing of a webhook may fail. */
const PROCESSING_ERRORS = ['busy', 'unavailable', 'worker_lost', 'internal'] as const;

function countError(error: (typeof PROCESSING_ERRORS)[number], { meters }: Needs): void {
  meters.count('webhook_processing_errors_total', { error });
}

/** One of a closed list: what our own code or a dependency says is for the log. */
function codeOf(error: unknown): (typeof PROCESSING_ERRORS)[number] {
  const code = error instanceof Problem ? error.code : 'internal';
  return PROCESSING_ERRORS.find((it) => it === code) ?? 'internal';
}
