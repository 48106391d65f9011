import * as z from 'zod';
import { known, readEach } from '../shared/form.ts';
import { pagesOf } from '../shared/page.ts';
import { setFields } from '../shared/set-fields.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, World, Write } from '../shared/world.ts';
import { SCHEMES } from './signature-scheme.ts';
import type { Source } from './source.ts';

const StoredHmac = z.object({
  header: z.string(),
  algorithm: z.enum(['sha256', 'sha512']),
  encoding: z.enum(['hex', 'base64']),
  prefix: z.string().optional(),
  idHeader: z.string().optional(),
});

/** Stored items are read tolerantly: an unknown field is a later release's. */
const SourceItem = z.object({
  id: z.templateLiteral(['src_', z.string()]),
  tenant: z.string(),
  name: z.string(),
  scheme: z.enum(SCHEMES),
  hmac: StoredHmac.optional(),
  secrets: z.array(z.object({ sealed: z.string(), until: z.number().optional() })),
  overflow: z.enum(['reject', 'accept']),
  maxBacklog: z.number().optional(),
  shares: z.number().optional(),
  perSecond: z.number().optional(),
  dedupeSeconds: z.number().optional(),
  forwardAs: z.string(),
  status: z.enum(['active', 'paused']),
  createdAt: z.number(),
  updatedAt: z.number(),
  revision: z.number(),
  fingerprint: z.string().optional(),
});

/** Where a source lies: whoever sends to it does not name its tenant. */
export function sourceKey(sourceId: string): Key {
  return { pk: sourceId, sk: '#' };
}

/** The partition of the index `listing` with a tenant's sources. */
export function sourceListing(tenantId: string): string {
  return `${tenantId}#S`;
}

/** Refused when the id is taken, also by one that was deleted. */
export function insertSource(source: Source): Write {
  const listingSk = `${sortableMs(source.createdAtMs)}#${source.id}`;
  const listing = { listingPk: sourceListing(source.tenantId), listingSk };
  const item = { ...sourceKey(source.id), v: 1, ...fieldsOf(source), ...listing };
  return { kind: 'put', table: 'inbox', item, condition: 'attribute_not_exists(pk)' };
}

function fieldsOf(source: Source): Item {
  return {
    id: source.id,
    tenant: source.tenantId,
    name: source.name,
    scheme: source.scheme,
    hmac: source.hmac,
    secrets: source.secrets.map(({ sealed, untilMs }) => ({ sealed, until: untilMs })),
    overflow: source.overflow,
    maxBacklog: source.maxBacklog,
    shares: source.shares,
    perSecond: source.ratePerSecond,
    dedupeSeconds: source.dedupeSeconds,
    forwardAs: source.forwardAs,
    status: source.status,
    createdAt: source.createdAtMs,
    updatedAt: source.updatedAtMs,
    revision: source.revision,
    fingerprint: source.fingerprint,
  };
}

/** Refused when anything of the source was changed since `before` was read, or it was deleted. */
export function saveSource(before: Source, after: Source): Write {
  const { update, names, values } = setFields(fieldsOf(after));
  return {
    kind: 'update',
    table: 'inbox',
    key: sourceKey(before.id),
    ...{ update, names },
    condition: 'revision = :seen',
    values: { ...values, ':seen': before.revision },
  };
}

/**
 * Leaves of a source that its id was taken, so that its creation cannot be repeated. Refused like
 * `saveSource`.
 */
export function deleteSource(
  { id, tenantId, fingerprint, revision }: Source,
  nowMs: number,
): Write {
  const item = { ...sourceKey(id), v: 1, id, tenant: tenantId, deletedAt: nowMs, fingerprint };
  const condition = 'revision = :seen';
  return { kind: 'put', table: 'inbox', item, condition, values: { ':seen': revision } };
}

/** The source in a stored item. Undefined without one, and for what a deleted one leaves. */
export function toSource(item: Item | undefined): Source | undefined {
  if (!item || item.deletedAt !== undefined) return undefined;
  const stored = SourceItem.parse(known(item));
  const { id, name, scheme, hmac, overflow, maxBacklog, dedupeSeconds } = stored;
  const { forwardAs, status, revision, fingerprint, shares } = stored;
  return {
    ...{ id, name, scheme, hmac, overflow, maxBacklog, dedupeSeconds },
    ...{ forwardAs, status, revision, fingerprint, shares },
    tenantId: stored.tenant,
    secrets: stored.secrets.map(({ sealed, until }) => ({ sealed, untilMs: until })),
    ratePerSecond: stored.perSecond,
    createdAtMs: stored.createdAt,
    updatedAtMs: stored.updatedAt,
  };
}

/** The source of any tenant: only for whoever sends to it, who names no tenant. */
export async function findAnySource(
  db: Pick<Db, 'get'>,
  sourceId: string,
): Promise<Source | undefined> {
  return toSource(await db.get('inbox', sourceKey(sourceId)));
}

/** Undefined when this tenant has no such source. */
export async function findSource(
  db: Pick<Db, 'get'>,
  tenantId: string,
  sourceId: string,
): Promise<Source | undefined> {
  const source = await findAnySource(db, sourceId);
  return source?.tenantId === tenantId ? source : undefined;
}

/** The sources of a tenant, of which some may be damaged. */
export interface FoundSources {
  readonly sources: readonly Source[];
  /** The ids of those that cannot be read. */
  readonly damaged: readonly string[];
}

/** All sources of a tenant that can be read, as a list that is up to a second old has them. */
export async function findReadableSources(
  db: Pick<Db, 'query' | 'getAll'>,
  tenantId: string,
): Promise<FoundSources> {
  const sources: Source[] = [];
  const damaged: string[] = [];
  const query = { table: 'inbox', index: 'listing', pk: sourceListing(tenantId) } as const;
  for await (const rows of pagesOf(db, query)) {
    const ids = rows.map(({ pk }) => String(pk));
    const items = await db.getAll(ids.map((id) => ({ table: 'inbox', ...sourceKey(id) })));
    for (const [index, id] of ids.entries()) {
      try {
        sources.push(...[toSource(items[index]) ?? []].flat());
      } catch {
        damaged.push(id);
      }
    }
  }
  return { sources, damaged };
}

/**
 * What `show` makes of the sources behind the rows of a list, in their order; undefined for one
 * that was deleted, or cannot be read.
 */
export async function findSources<Shown>(
  { db, log }: Pick<World, 'db' | 'log'>,
  rows: readonly Item[],
  show: (source: Source) => Shown | undefined,
): Promise<(Shown | undefined)[]> {
  const keys = rows.map(({ pk }) => ({ table: 'inbox' as const, ...sourceKey(String(pk)) }));
  const showItem = (item: Item) => {
    const source = toSource(item);
    return source && show(source);
  };
  return readEach(await db.getAll(keys), showItem, { log });
}
