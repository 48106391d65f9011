import * as z from 'zod';
import type { EventTypes } from '../shared/http/route.ts';
import { Account } from './account.contract.ts';
import { Hold } from './hold.contract.ts';
import { Entry, Transaction } from './transaction-view.contract.ts';

const entries = z.array(
  Entry.extend({
    heldAfter: z.string().optional(),
    hash: z
      .string()
      .optional()
      .meta({ description: 'The chain of the account up to here: an anchor of its history.' }),
  }),
);

const TransactionData = Transaction.extend({
  postings: Transaction.shape.postings
    .optional()
    .meta({ description: 'If there are several, and all of it stays below 64 KB.' }),
  entries,
}).meta({ id: 'TransactionData' });
const HoldData = Hold.extend({ entries }).meta({ id: 'HoldData' });
const CapturedHoldData = HoldData.extend({
  transaction: Transaction.omit({ entries: true, postings: true }),
}).meta({ id: 'CapturedHoldData' });

/** What the room tells of. */
export const ledgerEventTypes: EventTypes = {
  'account.created': { summary: 'An account was opened', data: Account },
  'account.updated': { summary: 'An account was renamed, frozen or closed', data: Account },
  'transaction.posted': { summary: 'Money was moved', data: TransactionData },
  'hold.created': { summary: 'Money was set aside', data: HoldData },
  'hold.captured': { summary: 'A hold was posted, whole or in part', data: CapturedHoldData },
  'hold.voided': { summary: 'A hold was let go', data: HoldData },
  'hold.expired': { summary: 'The time of a hold was over', data: HoldData },
};
