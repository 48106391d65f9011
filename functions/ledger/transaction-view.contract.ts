import * as z from 'zod';
import { id, Metadata } from '../shared/wire.ts';
import { TRANSACTION_TYPES } from './transaction.ts';

/** What a transaction does to one account. */
export const Entry = z.object({
  accountId: z.string(),
  currency: z.string(),
  amount: z.string(),
  seq: z.int().optional(),
  balanceAfter: z.string().optional(),
  availableAfter: z.string().optional(),
});

/** Why a transaction was refused. */
export const Refused = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z
    .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
    .optional(),
});

/** A transaction in answers. */
export const Transaction = z.object({
  id: id('txn'),
  object: z.literal('transaction'),
  type: z.enum(TRANSACTION_TYPES),
  status: z.enum(['posted', 'rejected']),
  dryRun: z.literal(true).optional(),
  amount: z.string().optional().meta({ description: 'Of the posting, if there is just one.' }),
  currency: z.string().optional(),
  postings: z.array(
    z.object({
      sourceAccountId: z.string(),
      destinationAccountId: z.string(),
      amount: z.string(),
      currency: z.string(),
    }),
  ),
  entries: z.array(Entry),
  description: z.string().optional(),
  reference: z.string().optional(),
  effectiveAt: z.string().optional(),
  metadata: Metadata.optional(),
  reverses: id('txn').optional(),
  reversedBy: id('txn').optional(),
  holdId: id('hld').optional(),
  /** Why a rejected transaction was refused. */
  problem: Refused.optional(),
  createdAt: z.string(),
});
