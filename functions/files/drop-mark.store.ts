import * as z from 'zod';
import type { ObjectMark } from '../shared/bucket.ts';
import { known } from '../shared/form.ts';
import type { Db, Key, Write } from '../shared/world.ts';

/** Stored items are read tolerantly: an unknown field is a later release's. */
const MarkItem = z.object({ key: z.string().optional(), version: z.string().optional() });

const KEY: Key = { pk: 'drops', sk: 'MARK' };

/** Where the last look through the dropped objects ran out of time; undefined if it did not. */
export async function findDropMark(db: Pick<Db, 'get'>): Promise<ObjectMark | undefined> {
  const item = await db.get('files', KEY);
  if (!item) return undefined;
  const { key, version: versionId } = MarkItem.parse(known(item));
  return key === undefined ? undefined : { key, versionId };
}

/** Notes where the next look begins: behind this version, or at the beginning. */
export function putDropMark(mark: ObjectMark | undefined): Write {
  const item = { ...KEY, v: 1, key: mark?.key, version: mark?.versionId };
  return { kind: 'put', table: 'files', item };
}
