import * as z from 'zod';
import { SCOPES } from '../shared/http/route.ts';
import type { Db, Write } from '../shared/world.ts';
import type { ApiKey } from './api-key.ts';

const KeyItem = z.object({
  id: z.templateLiteral(['key_', z.string()]),
  tenant: z.string(),
  name: z.string(),
  scopes: z.array(z.enum([...SCOPES, '*'])),
  hash: z.string(),
  lastFour: z.string(),
  createdAt: z.number(),
});

/** The key under its hash, where a request finds it, and under its tenant, where it is listed. */
export function insertApiKey(key: ApiKey): Write[] {
  const item = {
    v: 1,
    id: key.id,
    tenant: key.tenantId,
    name: key.name,
    scopes: key.scopes,
    hash: key.hash,
    lastFour: key.lastFour,
    createdAt: key.createdAtMs,
  };
  const put = (pk: string, sk: string): Write => ({
    kind: 'put',
    table: 'control',
    condition: 'attribute_not_exists(pk)',
    item: { pk, sk, ...item },
  });
  return [put(`K#${key.hash}`, '#'), put(key.tenantId, `KEY#${key.id}`)];
}

/** Undefined when no key has this hash. */
export async function findApiKey(db: Pick<Db, 'get'>, hash: string): Promise<ApiKey | undefined> {
  const item = await db.get('control', { pk: `K#${hash}`, sk: '#' });
  if (!item) return undefined;
  const { tenant, createdAt, ...stored } = KeyItem.parse(item);
  return { ...stored, tenantId: tenant, createdAtMs: createdAt };
}
