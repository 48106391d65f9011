import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id, PageQuery, pageOf } from '../shared/wire.ts';
import { INVARIANTS } from './audit.ts';

const count = (description: string) => z.int().meta({ description });

const Audit = z
  .object({
    id: id('aud'),
    object: z.literal('audit'),
    status: z.enum(['running', 'clean', 'violated', 'failed']).meta({
      description: 'failed: it came to no end. Ask for another one.',
    }),
    createdAt: z.string(),
    finishedAt: z.string().optional(),
    checked: z.object({
      accounts: count('Accounts, each folded from its entries.'),
      entries: count('Lines of statements, each held against the journal.'),
      transactions: count('Posted transactions.'),
      holds: count('Holds, and the records that let one go.'),
      events: count('Events that tell of the ledger.'),
    }),
    violations: z.object({
      L1: count('Money is conserved: what a transaction moves sums to zero per currency.'),
      L2: count('No balance is outside its limits after any entry.'),
      L3: count('Accounts and statements are what their entries add up to.'),
      L4: count('A money key has one effect.'),
      L5: count('A hold ends once, with at most what was held; a reversal is single and exact.'),
      O1: count('Each posting has one event, and each such event a posting.'),
    }),
    offenders: z
      .array(z.object({ invariant: z.enum(INVARIANTS), id: z.string(), detail: z.string() }))
      .meta({ description: 'The first 20.' }),
    undecided: count('Totals of derived accounts that moved whenever they were added up.'),
    error: z
      .object({ code: z.literal('step_failed'), detail: z.string() })
      .optional()
      .meta({ description: 'Why a failed one came to no end.' }),
  })
  .meta({ id: 'Audit', description: 'docs/ledger.md says what each invariant means.' });

export const createAuditRoute = defineRoute({
  method: 'POST',
  path: '/v1/audit',
  summary: 'Examine the whole ledger against its invariants; one at a time',
  access: 'audit:write',
  idempotencyKey: 'accepted',
  reply: { status: 202, schema: Audit },
  refusals: ['conflict', 'idempotency_key_reused', 'busy'],
});

export const listAuditsRoute = defineRoute({
  method: 'GET',
  path: '/v1/audit',
  summary: 'Audits, newest first',
  access: 'audit:read',
  query: z.strictObject(PageQuery),
  reply: { status: 200, schema: pageOf(Audit) },
  refusals: ['invalid_cursor'],
});

export const getAuditRoute = defineRoute({
  method: 'GET',
  path: '/v1/audit/{id}',
  summary: 'How far an audit has come, and what it has found',
  access: 'audit:read',
  params: z.object({ id: id('aud') }),
  reply: { status: 200, schema: Audit },
  refusals: ['not_found'],
});

export const auditRoutes = [createAuditRoute, listAuditsRoute, getAuditRoute];
