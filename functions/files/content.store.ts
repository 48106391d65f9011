import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Key, Write } from '../shared/world.ts';
import type { AlertFile } from './file.ts';

/** The same bytes within this time are a repeat. */
const REPEAT_MS = DAY_MS;

/**
 * Notes that these bytes go to the file's endpoint. Refused when another file has brought them
 * there within a day, unless this one may repeat them.
 */
export function markContent(file: AlertFile, contentHash: string, nowMs: number): Write {
  const { id, allowRepeat } = file;
  const endsMs = nowMs + REPEAT_MS;
  const condition = 'attribute_not_exists(pk) OR #at <= :old OR #file = :file';
  return {
    kind: 'update',
    table: 'files',
    key: markKey(file, contentHash),
    update: 'SET v = :v, #file = :file, #at = :at, #ttl = :ttl',
    names: { '#file': 'file', '#at': 'at', '#ttl': 'ttl' },
    values: {
      ...{ ':v': 1, ':file': id, ':at': nowMs, ':ttl': Math.ceil(endsMs / SECOND_MS) },
      ...(!allowRepeat && { ':old': nowMs - REPEAT_MS }),
    },
    ...(!allowRepeat && { condition }),
  };
}

/**
 * What takes the mark of a file back that has sent nothing: it is of long ago. Nothing does where
 * another file's bytes went there since, or no mark is left; refused when that comes to be so in
 * between.
 */
export async function unmarkContent(db: Db, file: AlertFile): Promise<Write[]> {
  const { id, contentHash } = file;
  if (contentHash === undefined) return [];
  const key = markKey(file, contentHash);
  const mark = await db.get('files', key);
  if (mark?.file !== id) return [];
  const names = { '#at': 'at', '#file': 'file' };
  const values = { ':never': 0, ':file': id };
  const changes = { update: 'SET #at = :never', condition: '#file = :file', names, values };
  return [{ kind: 'update', table: 'files', key, ...changes }];
}

function markKey({ tenantId, endpointId }: AlertFile, contentHash: string): Key {
  return { pk: `${tenantId}#${endpointId}#${contentHash}`, sk: 'SAME' };
}
