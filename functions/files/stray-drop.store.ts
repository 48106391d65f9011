import { SECOND_MS } from '../shared/units.ts';
import type { Key, Write } from '../shared/world.ts';
import { DROPS_LIFE_MS } from './dropped-object.ts';
import { type FileName, filePartition } from './file.store.ts';

/** Where it is noted that a dropped object is nobody's: no tenant's, or no endpoint's. */
export function strayKey(name: FileName): Key {
  return { pk: filePartition(name), sk: 'STRAY' };
}

/** Notes that it was told of. Kept for longer than the object lies there. */
export function insertStray(name: FileName, nowMs: number): Write {
  const endsMs = nowMs + DROPS_LIFE_MS;
  const item = { ...strayKey(name), v: 1, ttl: Math.ceil(endsMs / SECOND_MS) };
  return { kind: 'put', table: 'files', item };
}
