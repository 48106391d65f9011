import * as z from 'zod';
import { StoredMinor } from '../ledger/account.store.ts';
import { known } from '../shared/form.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import { type Audit, INVARIANTS, PHASES } from './audit.ts';

const AccountFoldItem = z.object({
  kind: z.literal('limited'),
  accountId: z.string(),
  target: z.record(z.string(), z.unknown()),
  at: z.object({
    seq: z.int(),
    credits: StoredMinor,
    debits: StoredMinor,
    held: StoredMinor,
    currency: z.string().optional(),
    hash: z.string(),
    atMs: z.int(),
    isBroken: z.boolean(),
    isLost: z.boolean(),
  }),
  after: z.string().optional(),
});

const DerivedFoldItem = z.object({
  kind: z.literal('derived'),
  accountId: z.string(),
  currency: z.string(),
  shard: z.int(),
  pass: z.int(),
  first: z.object({ sum: StoredMinor, lines: z.int() }).optional(),
  sum: StoredMinor,
  lines: z.int(),
  after: z.string().optional(),
  toldTo: z.string().optional(),
});

const PositionItem = z.object({
  phase: z.enum(PHASES),
  part: z.int(),
  after: z.record(z.string(), z.string()).optional(),
  folds: z.array(z.discriminatedUnion('kind', [AccountFoldItem, DerivedFoldItem])),
  currencies: z.array(z.string()),
  waits: z.int(),
});

const counts = <Name extends string>(...names: readonly Name[]) =>
  z.object(Object.fromEntries(names.map((it) => [it, z.int()])) as Record<Name, z.ZodInt>);

/** Stored items are read tolerantly: an unknown field is a later release's. */
const AuditItem = z.object({
  id: z.templateLiteral(['aud_', z.string()]),
  tenant: z.string(),
  status: z.enum(['running', 'clean', 'violated', 'failed']),
  createdAt: z.int(),
  finishedAt: z.int().optional(),
  step: z.int(),
  repeats: z.int().default(0),
  checked: counts('accounts', 'entries', 'transactions', 'holds', 'events'),
  violations: counts(...INVARIANTS),
  offenders: z.array(
    z.object({ invariant: z.enum(INVARIANTS), id: z.string(), detail: z.string() }),
  ),
  undecided: z.int(),
  position: PositionItem.optional(),
  due: z.int().optional(),
  fp: z.string().optional(),
  error: z.object({ code: z.literal('step_failed'), detail: z.string() }).optional(),
});

/** Where an audit lies. */
export function auditKey(tenantId: string, auditId: string): Key {
  return { pk: tenantId, sk: `AUD#${auditId}` };
}

/** Where it stands which audit of a tenant is running. */
function runningKey(tenantId: string): Key {
  return { pk: tenantId, sk: 'AUD' };
}

/** The partition of the index `listing` with a tenant's audits. */
export function auditsOf(tenantId: string): string {
  return `${tenantId}#AUD`;
}

/**
 * Refused when the id is taken: a creation with the same Idempotency-Key (first write); or when
 * another audit of the tenant is running (second write, with the item that names it), unless it is
 * the one with the id `over`, which has ended.
 */
export function insertAudit(audit: Audit, nowMs: number, over?: string): Write[] {
  const put = { kind: 'put', table: 'control', condition: 'attribute_not_exists(pk)' } as const;
  const running = { ...runningKey(audit.tenantId), v: 1, audit: audit.id };
  const insert = { ...put, item: toItem(audit, nowMs) };
  if (over === undefined) return [insert, { ...put, item: running }];
  const condition = 'attribute_not_exists(pk) OR audit = :over';
  return [insert, { ...put, item: running, condition, values: { ':over': over } }];
}

/**
 * Saves what turned `before` into `audit`: a step, or that it begins again. Refused when another
 * worker took the step, began it again, or gave it up.
 */
export function saveAudit(before: Audit, audit: Audit, nowMs: number): Write[] {
  const save: Write = {
    kind: 'put',
    table: 'control',
    item: toItem(audit, nowMs),
    condition: '#step = :step AND #due = :due',
    names: { '#step': 'step', '#due': 'due' },
    values: { ':step': before.step, ':due': before.dueMs },
  };
  if (audit.status === 'running') return [save];
  return [save, { kind: 'remove', table: 'control', key: runningKey(audit.tenantId) }];
}

function toItem(audit: Audit, nowMs: number): Key & Item {
  const { id, tenantId, status, step, repeats, checked, violations, offenders } = audit;
  const { undecided, error } = audit;
  const key = auditKey(tenantId, id);
  return {
    ...key,
    v: 1,
    ...{ id, tenant: tenantId, status, step, repeats, checked, violations, offenders },
    ...{ undecided, error },
    createdAt: audit.createdAtMs,
    finishedAt: audit.finishedAtMs,
    position: audit.position,
    due: audit.dueMs,
    fp: audit.fingerprint,
    listingPk: auditsOf(tenantId),
    listingSk: `${sortableMs(audit.createdAtMs)}#${id}`,
    ...(audit.dueMs !== undefined && dueAttributes(key, audit.dueMs, nowMs)),
  };
}

/** The audit in a stored item. */
export function toAudit(item: Item): Audit {
  const { tenant, createdAt, finishedAt, due, fp, ...stored } = AuditItem.parse(known(item));
  return {
    ...stored,
    tenantId: tenant,
    createdAtMs: createdAt,
    finishedAtMs: finishedAt,
    dueMs: due,
    fingerprint: fp,
  };
}

/** Undefined when there is none at this key. */
export async function findAuditAt(db: Pick<Db, 'get'>, key: Key): Promise<Audit | undefined> {
  const item = await db.get('control', key);
  return item && toAudit(item);
}

/** Undefined when the tenant has no such audit. */
export async function findAudit(
  db: Pick<Db, 'get'>,
  tenantId: string,
  auditId: string,
): Promise<Audit | undefined> {
  return findAuditAt(db, auditKey(tenantId, auditId));
}

/** The audits behind the keys of a list, in its order, as they are now. */
export async function loadAudits(
  db: Pick<Db, 'getAll'>,
  entries: readonly Item[],
): Promise<Audit[]> {
  const keys = entries.map(({ pk, sk }) => {
    return { table: 'control' as const, pk: String(pk), sk: String(sk) };
  });
  const items = keys.length > 0 ? await db.getAll(keys) : [];
  return items.flatMap((it) => (it ? [toAudit(it)] : []));
}
