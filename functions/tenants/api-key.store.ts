import * as z from 'zod';
import { known } from '../shared/form.ts';
import { SCOPES } from '../shared/http/route.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import type { ApiKey } from './api-key.ts';

/** Stored items are read tolerantly: an unknown field is a later release's. */
const KeyItem = z.object({
  id: z.templateLiteral(['key_', z.string()]),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(z.enum([...SCOPES, '*'])),
  rateLimit: z.object({ perSecond: z.number(), burst: z.number() }).optional(),
  hash: z.string(),
  lastFour: z.string(),
  createdAt: z.number(),
  expiresAt: z.number().optional(),
  revokedAt: z.number().optional(),
  ended: z.boolean().optional(),
  fp: z.string().optional(),
});

/** Where a request finds the key. */
function callKey(hash: string): Key {
  return { pk: `K#${hash}`, sk: '#' };
}

/** Where its tenant finds it. */
function ownKey(tenantId: string, keyId: string): Key {
  return { pk: tenantId, sk: `KEY#${keyId}` };
}

/** The partition of the index `listing` in which the keys of a tenant stand. */
export function keysOf(tenantId: string): string {
  return `${tenantId}#K`;
}

/**
 * The key under its tenant, where it is listed, and under its hash, where a request finds it. The
 * first of the two is refused when the id is taken: a creation with the same Idempotency-Key.
 */
export function insertApiKey(key: ApiKey): Write[] {
  const item = {
    v: 1,
    id: key.id,
    tenant: key.tenantId,
    name: key.name,
    scopes: key.scopes,
    rateLimit: key.rateLimit,
    hash: key.hash,
    lastFour: key.lastFour,
    createdAt: key.createdAtMs,
    expiresAt: key.expiresAtMs,
    revokedAt: key.revokedAtMs,
    fp: key.fingerprint,
  };
  const put = (at: Key, listing: Item = {}): Write => ({
    kind: 'put',
    table: 'control',
    condition: 'attribute_not_exists(pk)',
    item: { ...at, ...item, ...listing },
  });
  const listing = {
    listingPk: keysOf(key.tenantId),
    listingSk: `${sortableMs(key.createdAtMs)}#${key.id}`,
  };
  return [put(ownKey(key.tenantId, key.id), listing), put(callKey(key.hash))];
}

/**
 * Ends the key at this time, in both of its places; `atOnce` for every clock. Refused when it ends
 * earlier already, has ended so, or does not exist.
 */
export function endApiKey(
  { tenantId, id, hash }: ApiKey,
  { atMs, atOnce }: { readonly atMs: number; readonly atOnce: boolean },
): Write[] {
  const end = (key: Key): Write => ({
    kind: 'update',
    table: 'control',
    key,
    update: `SET revokedAt = :at${atOnce ? ', ended = :yes' : ''}`,
    condition: `attribute_exists(pk) AND attribute_not_exists(ended) AND \
(attribute_not_exists(revokedAt) OR revokedAt >= :at)`,
    values: { ':at': atMs, ...(atOnce && { ':yes': true }) },
  });
  return [end(ownKey(tenantId, id)), end(callKey(hash))];
}

/** The key in a stored item. */
export function toApiKey(item: Item): ApiKey {
  const { tenant, createdAt, expiresAt, revokedAt, fp, ...stored } = KeyItem.parse(known(item));
  return {
    ...stored,
    tenantId: tenant,
    createdAtMs: createdAt,
    expiresAtMs: expiresAt,
    revokedAtMs: revokedAt,
    fingerprint: fp,
  };
}

/** Undefined when no key has this hash. */
export async function findCallingKey(
  db: Pick<Db, 'get'>,
  hash: string,
): Promise<ApiKey | undefined> {
  const item = await db.get('control', callKey(hash));
  return item && toApiKey(item);
}

/** Undefined when this tenant has no such key. */
export async function findApiKey(
  db: Pick<Db, 'get'>,
  tenantId: string,
  keyId: string,
): Promise<ApiKey | undefined> {
  const item = await db.get('control', ownKey(tenantId, keyId));
  return item && toApiKey(item);
}
