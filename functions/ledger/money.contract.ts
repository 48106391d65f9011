import * as z from 'zod';
import { Amount, Currency } from '../shared/money-wire.ts';
import type { ProblemCode } from '../shared/problem.ts';
import { id, Metadata, text } from '../shared/wire.ts';

/** An account, or the tenant's counter-account. */
export const AccountRef = z
  .union([id('acc'), z.literal('@world')], 'must be an account id or @world')
  .meta({ description: "An account, or `@world`: the tenant's counter-account." });

/** What every movement of money may carry. */
export const notes = {
  description: text(1, 500).optional(),
  reference: text(1, 200).optional(),
  metadata: Metadata.optional(),
};

/** How much, in which currency. */
export const money = { amount: Amount, currency: Currency };

/** What a movement of money may be refused for, whatever its route. */
export const moneyRefusals = [
  'idempotency_key_reused',
  'not_found',
  'insufficient_funds',
  'limit_exceeded',
  'account_frozen',
  'account_closed',
  'currency_mismatch',
  'busy',
] as const satisfies readonly ProblemCode[];
