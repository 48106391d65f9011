import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Amount } from '../shared/money-wire.ts';
import { Instant, id, Metadata, PageQuery, pageOf } from '../shared/wire.ts';
import { HOLD_STATUSES } from './hold.ts';
import { AccountRef, money, moneyRefusals, notes } from './money.contract.ts';
import { Transaction } from './transaction-view.contract.ts';

/** A hold in answers and events. */
export const Hold = z.object({
  id: id('hld'),
  object: z.literal('hold'),
  accountId: id('acc'),
  amount: z.string(),
  currency: z.string(),
  destinationAccountId: z.string().optional(),
  status: z.enum(HOLD_STATUSES),
  expiresAt: z.string().optional(),
  capturedAmount: z.string().optional(),
  transactionId: id('txn').optional(),
  resolvedAt: z.string().optional(),
  description: z.string().optional(),
  reference: z.string().optional(),
  metadata: Metadata.optional(),
  createdAt: z.string(),
});

export const createHoldRoute = defineRoute({
  method: 'POST',
  path: '/v1/holds',
  summary: 'Set money aside',
  access: 'ledger:write',
  idempotencyKey: 'required',
  movesMoney: true,
  body: z.strictObject({
    accountId: id('acc'),
    ...money,
    destinationAccountId: AccountRef.optional(),
    expiresAt: Instant.optional().meta({ description: 'In the future, within five years.' }),
    ...notes,
  }),
  reply: { status: 201, schema: Hold },
  refusals: [...moneyRefusals, 'same_account', 'not_available'],
});

export const captureHoldRoute = defineRoute({
  method: 'POST',
  path: '/v1/holds/{id}/capture',
  summary: 'Post what was set aside, whole or in part, and let the rest go',
  access: 'ledger:write',
  idempotencyKey: 'required',
  movesMoney: true,
  params: z.object({ id: id('hld') }),
  mayLackBody: true,
  body: z.strictObject({
    amount: Amount.optional().meta({ description: 'All of it if absent.' }),
    destinationAccountId: AccountRef.optional(),
    ...notes,
  }),
  reply: { status: 201, schema: z.object({ hold: Hold, transaction: Transaction }) },
  refusals: [...moneyRefusals, 'same_account', 'hold_resolved'],
});

export const voidHoldRoute = defineRoute({
  method: 'POST',
  path: '/v1/holds/{id}/void',
  summary: 'Let all of it go',
  access: 'ledger:write',
  idempotencyKey: 'required',
  params: z.object({ id: id('hld') }),
  reply: { status: 200, schema: Hold },
  refusals: ['idempotency_key_reused', 'not_found', 'hold_resolved', 'busy'],
});

export const getHoldRoute = defineRoute({
  method: 'GET',
  path: '/v1/holds/{id}',
  summary: 'One hold',
  access: 'ledger:read',
  params: z.object({ id: id('hld') }),
  reply: { status: 200, schema: Hold },
  refusals: ['not_found'],
});

export const listHoldsRoute = defineRoute({
  method: 'GET',
  path: '/v1/holds',
  summary: 'Holds, newest first',
  access: 'ledger:read',
  query: z.strictObject({
    ...PageQuery,
    status: z.enum(HOLD_STATUSES).optional(),
    accountId: id('acc').optional(),
  }),
  reply: { status: 200, schema: pageOf(Hold) },
  refusals: ['invalid_cursor'],
});
