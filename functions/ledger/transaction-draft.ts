import type * as z from 'zod';
import { WORLD } from './account.ts';
import type { TransactionOrder } from './transaction.contract.ts';
import type { Posting, TransactionDraft } from './transaction.ts';

/** All money routes share one scope: a key that is reused on another of them is seen. */
export const MONEY_SCOPE = 'money';

/** A transaction as a request asks for it. */
export type TransactionBody = z.output<typeof TransactionOrder>;

/** What the request itself knows of a transaction. */
export type DraftOrigin = Pick<
  TransactionDraft,
  'id' | 'tenantId' | 'fingerprint' | 'traceparent' | 'hops'
>;

/** The draft of one of the four kinds. */
export function draftTransaction(body: TransactionBody, origin: DraftOrigin): TransactionDraft {
  return {
    ...origin,
    type: body.type,
    postings: postingsOf(body),
    preconditions: body.preconditions,
    description: body.description,
    reference: body.reference,
    effectiveAtMs: body.effectiveAt,
    metadata: body.metadata,
  };
}

/** A credit comes from the world, and a debit goes there. */
function postingsOf(body: TransactionBody): Posting[] {
  if (body.type === 'journal') return body.postings.map(toPosting);
  if (body.type === 'transfer') return [toPosting(body)];
  const { type, accountId, amount, currency } = body;
  const [sourceId, destinationId] = type === 'credit' ? [WORLD, accountId] : [accountId, WORLD];
  return [{ sourceId, destinationId, amount, currency }];
}

function toPosting(asked: {
  readonly sourceAccountId: string;
  readonly destinationAccountId: string;
  readonly amount: bigint;
  readonly currency: string;
}): Posting {
  const { sourceAccountId, destinationAccountId, amount, currency } = asked;
  return { sourceId: sourceAccountId, destinationId: destinationAccountId, amount, currency };
}
