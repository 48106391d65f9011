import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { Amount, Currency, id, Metadata, PageQuery, pageOf, text } from '../shared/wire.ts';

/** Lower or upper bound of a balance: signed minor units. */
const Limit = z
  .string()
  .regex(/^(0|-?[1-9]\d{0,18})$/, 'must be signed minor units, as a string')
  .transform((it) => BigInt(it));

const CreateAccountBody = z.strictObject({
  currency: Currency,
  name: text(1, 200).optional(),
  externalId: text(1, 200).optional(),
  minBalance: Limit.refine((it) => it <= 0n, 'must not be above 0: an account begins at 0')
    .nullable()
    .default(0n)
    .meta({ description: 'The floor of the balance; null is no floor.' }),
  metadata: Metadata.optional(),
});

const Account = z.object({
  id: id('acc'),
  object: z.literal('account'),
  currency: z.string(),
  name: z.string().optional(),
  externalId: z.string().optional(),
  balance: z.string(),
  available: z.string(),
  held: z.string(),
  minBalance: z.string().nullable(),
  version: z.int(),
  status: z.enum(['active', 'frozen', 'closed']),
  createdAt: z.string(),
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
  refusals: ['idempotency_key_reused', 'conflict'],
});

export const listAccountsRoute = defineRoute({
  method: 'GET',
  path: '/v1/accounts',
  summary: 'Accounts, newest first',
  access: 'ledger:read',
  query: z.strictObject(PageQuery),
  reply: { status: 200, schema: pageOf(Account) },
  refusals: ['invalid_cursor'],
});

export const getAccountRoute = defineRoute({
  method: 'GET',
  path: '/v1/accounts/{id}',
  summary: 'One account with its balance as of now',
  access: 'ledger:read',
  params: z.object({ id: id('acc') }),
  reply: { status: 200, schema: Account },
  refusals: ['not_found'],
});

/** What every kind of transaction may carry. */
const common = {
  amount: Amount,
  currency: Currency,
  description: text(1, 500).optional(),
  reference: text(1, 200).optional(),
  metadata: Metadata.optional(),
};

const AccountRef = z.union([id('acc'), z.literal('@world')]);

const CreateTransactionBody = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('credit'), accountId: id('acc'), ...common }),
  z.strictObject({ type: z.literal('debit'), accountId: id('acc'), ...common }),
  z.strictObject({
    type: z.literal('transfer'),
    sourceAccountId: AccountRef,
    destinationAccountId: AccountRef,
    ...common,
  }),
]);

const Entry = z.object({
  accountId: z.string(),
  amount: z.string(),
  seq: z.int().optional(),
  balanceAfter: z.string().optional(),
});

const Transaction = z.object({
  id: id('txn'),
  object: z.literal('transaction'),
  type: z.enum(['credit', 'debit', 'transfer']),
  status: z.enum(['posted', 'rejected']),
  amount: z.string(),
  currency: z.string(),
  entries: z.array(Entry),
  description: z.string().optional(),
  reference: z.string().optional(),
  metadata: Metadata.optional(),
  /** Why a rejected transaction was refused. */
  problem: z.object({ code: z.string(), detail: z.string() }).optional(),
  createdAt: z.string(),
});

export const createTransactionRoute = defineRoute({
  method: 'POST',
  path: '/v1/transactions',
  summary: 'Move money: credit, debit or transfer',
  access: 'ledger:write',
  idempotencyKey: 'required',
  movesMoney: true,
  body: CreateTransactionBody,
  reply: { status: 201, schema: Transaction },
  refusals: [
    'idempotency_key_reused',
    'not_found',
    'same_account',
    'insufficient_funds',
    'account_frozen',
    'account_closed',
    'currency_mismatch',
    'busy',
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

export const ledgerRoutes = [
  createAccountRoute,
  listAccountsRoute,
  getAccountRoute,
  createTransactionRoute,
  getTransactionRoute,
];
