import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Balance, Currency } from '../shared/money-wire.ts';
import { Instant, id, PageQuery, pageOf, TOO_LONG_FAULT, text } from '../shared/wire.ts';
import { AccountRef, money, moneyRefusals, notes } from './money.contract.ts';
import { Refused, Transaction } from './transaction-view.contract.ts';

const PRECONDITIONS_MAX = 20;
const POSTINGS_MAX = 100;

const Precondition = z
  .strictObject({
    accountId: id('acc'),
    version: z.int().min(0).optional(),
    minAvailable: Balance.optional(),
  })
  .refine(
    (it) => it.version !== undefined || it.minAvailable !== undefined,
    'must name a version, a minAvailable, or both',
  );

const terms = {
  ...notes,
  effectiveAt: Instant.optional().meta({ description: 'For reports only: lists go by createdAt.' }),
  preconditions: z.array(Precondition).min(1).max(PRECONDITIONS_MAX).optional(),
};

const Posting = z.strictObject({
  sourceAccountId: AccountRef,
  destinationAccountId: AccountRef,
  ...money,
});

/** The four kinds of transaction, with `more` members besides. */
function kinds<Shape extends z.ZodRawShape>(more: Shape) {
  const kind = <Type extends string, Own extends z.ZodRawShape>(type: Type, own: Own) =>
    z.strictObject({ type: z.literal(type), ...own, ...terms, ...more });
  return z.discriminatedUnion('type', [
    kind('credit', { accountId: id('acc'), ...money }),
    kind('debit', { accountId: id('acc'), ...money }),
    kind('transfer', Posting.shape),
    kind('journal', { postings: z.array(Posting).min(1).max(POSTINGS_MAX) }),
  ]);
}

/** A transaction of any kind, as whoever posts it on behalf of a tenant may ask for it. */
export const TransactionOrder = kinds({});

const CreateTransactionBody = kinds({
  dryRun: z.boolean().optional().meta({
    description: 'Decides, and stores nothing; the Idempotency-Key is ignored, used or not.',
  }),
});

export const createTransactionRoute = defineRoute({
  method: 'POST',
  path: '/v1/transactions',
  summary: 'Move money: credit, debit, transfer, or a journal of many postings',
  access: 'ledger:write',
  idempotencyKey: 'required',
  movesMoney: true,
  body: CreateTransactionBody,
  reply: { status: 201, otherStatuses: [200], schema: Transaction },
  refusals: [
    ...moneyRefusals,
    'same_account',
    'precondition_failed',
    'not_available',
    'batch_too_large',
  ],
});

export const getTransactionRoute = defineRoute({
  method: 'GET',
  path: '/v1/transactions/{id}',
  summary: 'One transaction, posted or rejected',
  access: 'ledger:read',
  params: z.object({ id: id('txn') }),
  reply: { status: 200, schema: Transaction },
  refusals: ['not_found'],
});

export const listTransactionsRoute = defineRoute({
  method: 'GET',
  path: '/v1/transactions',
  summary: 'Transactions, newest first: all, of an account, with a reference, or both',
  access: 'ledger:read',
  query: z.strictObject({
    ...PageQuery,
    accountId: AccountRef.optional().meta({
      description: 'With a reference or status=rejected a page may be short before the end.',
    }),
    currency: Currency.optional().meta({ description: 'Required with accountId=@world.' }),
    reference: text(1, 200).optional(),
    status: z.enum(['posted', 'rejected']).default('posted'),
    from: Instant.optional().meta({ description: 'Inclusive.' }),
    to: Instant.optional().meta({ description: 'Exclusive.' }),
  }),
  reply: { status: 200, schema: pageOf(Transaction) },
  refusals: ['invalid_cursor', 'not_found'],
});

export const createReversalRoute = defineRoute({
  method: 'POST',
  path: '/v1/transactions/{id}/reversals',
  summary: 'Take a transaction back, exactly and once',
  access: 'ledger:write',
  idempotencyKey: 'required',
  movesMoney: true,
  params: z.object({ id: id('txn') }),
  mayLackBody: true,
  body: z.strictObject(notes),
  reply: { status: 201, schema: Transaction },
  refusals: [...moneyRefusals, 'already_reversed', 'conflict'],
});

/** More than this in one batch is `payload_too_large`, however small they are. */
const BATCH_MAX = 100;

const IdempotencyKeyText = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters');

const BatchBody = z.discriminatedUnion('atomic', [
  z.strictObject({
    atomic: z.literal(true),
    transactions: z.array(TransactionOrder).min(1).max(BATCH_MAX, TOO_LONG_FAULT),
  }),
  z.strictObject({
    atomic: z.literal(false),
    transactions: z
      .array(kinds({ idempotencyKey: IdempotencyKeyText }))
      .min(1)
      .max(BATCH_MAX, TOO_LONG_FAULT),
  }),
]);

const BatchProblem = Refused.extend({ status: z.int(), title: z.string(), retryable: z.boolean() });

const BatchAnswer = z.object({
  transactions: z.array(Transaction).optional(),
  results: z
    .array(
      z.object({
        status: z.int(),
        replayed: z.boolean().optional(),
        transaction: Transaction.optional(),
        problem: BatchProblem.optional(),
      }),
    )
    .optional(),
});

export const createBatchRoute = defineRoute({
  method: 'POST',
  path: '/v1/transactions/batch',
  summary: 'Up to 100 transactions: all or none, or each by itself',
  access: 'ledger:write',
  idempotencyKey: 'accepted',
  movesMoney: true,
  bodyKbMax: 1_024,
  body: BatchBody,
  reply: { status: 201, otherStatuses: [200], schema: BatchAnswer },
  refusals: [
    ...moneyRefusals,
    'idempotency_key_required',
    'same_account',
    'precondition_failed',
    'not_available',
    'batch_too_large',
  ],
});
