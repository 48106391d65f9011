import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Write } from '../shared/world.ts';
import type { AlertFile } from './file.ts';

/** The same bytes within this time are a repeat. */
const REPEAT_MS = DAY_MS;

/**
 * Notes that these bytes go to the file's endpoint. Refused when another file has brought them
 * there within a day, unless this one may repeat them.
 */
export function markContent(
  { tenantId, endpointId, id, allowRepeat }: AlertFile,
  contentHash: string,
  nowMs: number,
): Write {
  const endsMs = nowMs + REPEAT_MS;
  const condition = 'attribute_not_exists(pk) OR #at <= :old OR #file = :file';
  return {
    kind: 'update',
    table: 'files',
    key: { pk: `${tenantId}#${endpointId}#${contentHash}`, sk: 'SAME' },
    update: 'SET v = :v, #file = :file, #at = :at, #ttl = :ttl',
    names: { '#file': 'file', '#at': 'at', '#ttl': 'ttl' },
    values: {
      ...{ ':v': 1, ':file': id, ':at': nowMs, ':ttl': Math.ceil(endsMs / SECOND_MS) },
      ...(!allowRepeat && { ':old': nowMs - REPEAT_MS }),
    },
    ...(!allowRepeat && { condition }),
  };
}
