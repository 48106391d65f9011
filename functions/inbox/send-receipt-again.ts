import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { lowerBacklog } from './backlog.store.ts';
import { hashOf } from './incoming.ts';
import { replayWebhookRoute } from './receipt.contract.ts';
import { findReceipt, saveReopened } from './receipt.store.ts';
import { isOpen, type Receipt } from './receipt.ts';
import { remindOfReceipt } from './remind-of-receipt.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** So many Idempotency-Keys are remembered of one receipt. */
const KEYS_MAX = 20;
const ROUNDS = 3;

/**
 * POST /v1/webhooks/{id}/replay: one commit. It is processed anew, as a new event. A repetition
 * with the same key is answered with the receipt as it is.
 */
export const replayWebhook = route(replayWebhookRoute, async (call, world: Needs) => {
  const { tenantId, params, idempotency } = call;
  const key = idempotency && hashOf(Buffer.from(idempotency.key));
  for (let round = 0; round < ROUNDS; round += 1) {
    const nowMs = world.clock.nowMs();
    const receipt = await findReceipt(world.db, { tenantId, id: params.id }, nowMs);
    if (!receipt) throw new Problem('not_found');
    if (key !== undefined && receipt.replayKeys.includes(key)) {
      // Perhaps the message of the first call got lost, and claims make one more harmless.
      if (isOpen(receipt)) await remindOfReceipt(receipt, world);
      return replayed(receipt);
    }
    if (isOpen(receipt)) throw notRetryable(receipt);
    const keys = [...receipt.replayKeys, key ?? []].flat().slice(-KEYS_MAX);
    const isDone = await sendReceiptAgain(receipt, keys, world);
    if (isDone) return { body: { id: receipt.id, status: 'pending' as const } };
  }
  throw new Problem('busy', { detail: 'Others are replaying it.', retryAfterSeconds: 1 });
});

/** Opens a receipt again that has ended. False where it has changed since it was read. */
export async function sendReceiptAgain(
  receipt: Receipt,
  replayKeys: readonly string[],
  world: Needs,
): Promise<boolean> {
  const nowMs = world.clock.nowMs();
  const claim = world.ids.next('req');
  const writes = [
    saveReopened(receipt, { replayKeys, nowMs, claim }),
    ...(receipt.counter === undefined ? [] : [lowerBacklog(receipt.counter, -1)]),
  ];
  const commit = await commitDespiteConflicts(world, writes);
  // Refused with our own claim in it: the answer to the first try got lost.
  const isDone = commit.ok || commit.reasons[0]?.item?.claim === claim;
  if (isDone) await remindOfReceipt({ ...receipt, nextAtMs: nowMs }, world);
  return isDone;
}

function replayed({ id, status }: Receipt) {
  return { body: { id, status }, replayed: true };
}

function notRetryable({ id, status }: Receipt): Problem {
  return new Problem('not_retryable', { detail: `${id} is ${status}: it has not ended yet.` });
}
