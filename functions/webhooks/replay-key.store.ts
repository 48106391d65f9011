import * as z from 'zod';
import { idPart } from '../shared/ids/derive.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';
import { replayEnd } from './release.store.ts';
import type { Release } from './release.ts';

const ReplayKeyItem = z.object({
  endpoint: z.string(),
  replay: z.templateLiteral(['rpl_', z.string()]),
});

function keyOf(tenantId: string, keyId: string): Key {
  return { pk: `${tenantId}#I#${idPart(keyId)}`, sk: '#' };
}

/**
 * Notes which replay an Idempotency-Key has made, whichever endpoint it is of. Refused when the
 * key was used before. `keyId` is derived from the tenant and the key. It ends with the replay.
 */
export function insertReplayKey(keyId: string, release: Release): Write {
  const { tenantId, endpointId, id } = release;
  return {
    kind: 'put',
    table: 'endpoints',
    condition: 'attribute_not_exists(pk)',
    item: {
      ...keyOf(tenantId, keyId),
      v: 1,
      endpoint: endpointId,
      replay: id,
      ttl: replayEnd(release),
    },
  };
}

/** What names the replay in a stored key. */
export function toReplayName(item: Item): Pick<Release, 'endpointId' | 'id'> {
  const { endpoint, replay } = ReplayKeyItem.parse(item);
  return { endpointId: endpoint, id: replay };
}

/** Undefined when the key was not used. */
export async function findReplayName(
  db: Pick<Db, 'get'>,
  tenantId: string,
  keyId: string,
): Promise<Pick<Release, 'endpointId' | 'id'> | undefined> {
  const item = await db.get('endpoints', keyOf(tenantId, keyId));
  return item && toReplayName(item);
}
