import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Currency } from '../shared/money-wire.ts';
import { Instant, PageQuery, pageOf } from '../shared/wire.ts';
import { AccountRef } from './money.contract.ts';

const StatementEntry = z.object({
  seq: z.int().optional().meta({ description: 'From 1 without a gap; not of derived accounts.' }),
  transactionId: z.string().optional(),
  holdId: z.string().optional(),
  type: z.string().meta({ description: 'Of the transaction, or hold, capture, void or expiry.' }),
  amount: z.string(),
  balanceAfter: z.string().optional(),
  availableAfter: z.string().optional(),
  at: z.string(),
  reference: z.string().optional(),
});

export const listEntriesRoute = defineRoute({
  method: 'GET',
  path: '/v1/accounts/{id}/entries',
  summary: 'The statement of an account: its entries with running balances, newest first',
  access: 'ledger:read',
  params: z.object({ id: AccountRef }),
  query: z.strictObject({
    ...PageQuery,
    from: Instant.optional(),
    to: Instant.optional(),
    currency: Currency.optional().meta({
      description: 'Of `@world`, which has one statement each.',
    }),
  }),
  reply: {
    status: 200,
    schema: pageOf(StatementEntry).extend({
      upToSeq: z
        .int()
        .optional()
        .meta({ description: 'How far the statement has come; compare it with `version`.' }),
    }),
  },
  refusals: ['not_found', 'invalid_cursor', 'busy'],
});

export const statementRoutes = [listEntriesRoute];
