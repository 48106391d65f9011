import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Balance, Currency } from '../shared/money-wire.ts';
import { Instant, id, METADATA_LIMITS, Metadata, PageQuery, pageOf, text } from '../shared/wire.ts';
import { AccountRef } from './money.contract.ts';

const AccountStatus = z.enum(['active', 'frozen', 'closed']);

const CreateAccountBody = z.strictObject({
  currency: Currency,
  name: text(1, 200).optional(),
  externalId: text(1, 200).optional().meta({ description: 'Your own id, unique per tenant.' }),
  mode: z
    .enum(['limited', 'derived'])
    .default('limited')
    .meta({ description: '`derived` has entries and no stored balance: it is never contended.' }),
  minBalance: Balance.refine((it) => it <= 0n, 'must not be above 0: an account begins at 0')
    .nullable()
    .optional()
    .meta({ description: 'The floor of the balance, "0" if absent; null is no floor.' }),
  maxBalance: Balance.refine((it) => it >= 0n, 'must not be below 0: an account begins at 0')
    .optional()
    .meta({ description: 'The ceiling of the balance; none if absent.' }),
  metadata: Metadata.optional(),
});

/** An account in answers and events. */
export const Account = z.object({
  id: z.union([id('acc'), z.literal('@world')]),
  object: z.literal('account'),
  currency: z.string(),
  name: z.string().optional(),
  externalId: z.string().optional(),
  mode: z.enum(['limited', 'derived']),
  balance: z.string(),
  available: z.string().optional(),
  held: z.string().optional(),
  minBalance: z.string().nullable(),
  maxBalance: z.string().optional(),
  version: z.int().optional(),
  status: AccountStatus,
  at: z.string().optional(),
  createdAt: z.string().optional(),
  metadata: Metadata.optional(),
});

export const createAccountRoute = defineRoute({
  method: 'POST',
  path: '/v1/accounts',
  summary: 'Open an account',
  access: 'ledger:write',
  idempotencyKey: 'accepted',
  body: CreateAccountBody,
  reply: { status: 201, schema: Account },
  refusals: ['idempotency_key_reused', 'conflict', 'not_available', 'busy'],
});

export const listAccountsRoute = defineRoute({
  method: 'GET',
  path: '/v1/accounts',
  summary: 'Accounts, newest first',
  access: 'ledger:read',
  query: z.strictObject({
    ...PageQuery,
    status: AccountStatus.optional(),
    externalId: text(1, 200).optional(),
  }),
  reply: { status: 200, schema: pageOf(Account) },
  refusals: ['invalid_cursor'],
});

export const getAccountRoute = defineRoute({
  method: 'GET',
  path: '/v1/accounts/{id}',
  summary: 'One account with its balance as of now, or at a time',
  access: 'ledger:read',
  params: z.object({ id: AccountRef }),
  query: z.strictObject({
    at: Instant.optional().meta({
      description:
        'The balance as it was then, inclusive. Final before the last entry of the account; ' +
        'after it, a posting that is under way may bear a time that is seconds past.',
    }),
    currency: Currency.optional().meta({ description: 'Of `@world`, which has one balance each.' }),
  }),
  reply: { status: 200, schema: Account },
  refusals: ['not_found', 'not_available', 'busy'],
});

export const updateAccountRoute = defineRoute({
  method: 'PATCH',
  path: '/v1/accounts/{id}',
  summary: 'Rename, freeze, unfreeze or close an account',
  access: 'ledger:write',
  params: z.object({ id: id('acc') }),
  body: z.strictObject({
    name: text(1, 200).optional(),
    metadata: Metadata.optional().meta({
      description: `Replaces all of the metadata. ${METADATA_LIMITS}`,
    }),
    status: AccountStatus.optional(),
  }),
  reply: { status: 200, schema: Account },
  refusals: ['not_found', 'conflict', 'not_available', 'busy'],
});
