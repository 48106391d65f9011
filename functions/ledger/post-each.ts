import { fingerprintOf } from '../shared/http/fingerprint.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { isRetryable, PROBLEMS, Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { postTransaction } from './post-transaction.ts';
import { createTransactionRoute } from './transaction.contract.ts';
import { findReversedBy } from './transaction.store.ts';
import type { TransactionDraft } from './transaction.ts';
import { draftTransaction, MONEY_SCOPE, type TransactionBody } from './transaction-draft.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

/** One transaction of the batch, decoded and as it was written. */
interface Asked {
  readonly body: TransactionBody & { readonly idempotencyKey: string };
  readonly exact: object;
}

/** An API call ends after 29 seconds; whoever comes after this is told to come again. */
const BATCH_MS_MAX = 20 * SECOND_MS;

/**
 * Posts one after the other, each under its own key, as POST /v1/transactions would: a transaction
 * that was posted there before is a replay here. Answers one result for each, in their order.
 */
export async function postEach(
  world: Needs,
  asked: readonly Asked[],
  caller: Pick<TransactionDraft, 'tenantId' | 'traceparent' | 'hops'>,
) {
  const untilMs = world.clock.nowMs() + BATCH_MS_MAX;
  const results = [];
  for (const { body, exact } of asked) {
    const draft = draftTransaction(body, {
      id: deriveId('txn', caller.tenantId, MONEY_SCOPE, body.idempotencyKey),
      fingerprint: fingerprintOfPart(exact),
      ...caller,
    });
    try {
      if (world.clock.nowMs() > untilMs) throw outOfTime();
      results.push(await postOne(world, draft));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      results.push(resultOf(error));
    }
  }
  return results;
}

async function postOne(world: Needs, draft: TransactionDraft) {
  const { transaction, replayed } = await postTransaction(world, draft);
  const { tenantId, id } = transaction;
  const reversedBy = replayed ? await findReversedBy(world.db, tenantId, id) : undefined;
  const { status } = createTransactionRoute.reply;
  return { status, replayed, transaction: transactionView(transaction, reversedBy) };
}

/** That of the same transaction as a request of its own. */
function fingerprintOfPart(exact: object): string {
  const { idempotencyKey: _own, ...body } = exact as { readonly idempotencyKey?: unknown };
  return fingerprintOf(createTransactionRoute.method, createTransactionRoute.path, body);
}

function resultOf({ code, facts, message }: Problem) {
  const { status, title } = PROBLEMS[code];
  const { errors, replayed = false } = facts;
  const problem = { code, title, status, detail: message, retryable: isRetryable(code) };
  return { status, replayed, problem: { ...problem, ...(errors && { errors: [...errors] }) } };
}

function outOfTime(): Problem {
  return new Problem('busy', { detail: 'The batch took too long. Send the rest again.' });
}
