import type { World } from '../shared/world.ts';
import { DROPS, type DroppedObject, dropFileId, toDrop } from './dropped-object.ts';
import { fileKey } from './file.store.ts';
import { lostDrop } from './upload-message.ts';

type Needs = Pick<World, 'bucket' | 'db' | 'log' | 'queues'>;

/** How many objects are asked about side by side. */
const AT_ONCE = 25;

/**
 * Looks through `drop/`, which is short because objects leave it after some days, and tells the
 * parser of every object of which no file was made: its event got lost. Repeated events are
 * harmless, so what is just arriving may be among them.
 */
export async function findLostDrops(world: Needs): Promise<void> {
  let after: string | undefined;
  let lost = 0;
  do {
    const page = await world.bucket.list(DROPS, after);
    for (let from = 0; from < page.keys.length; from += AT_ONCE) {
      lost += await remind(page.keys.slice(from, from + AT_ONCE), world);
    }
    after = page.next;
  } while (after !== undefined);
  world.log.info('drops.looked-through', { lost });
}

async function remind(keys: readonly string[], { bucket, db, queues }: Needs): Promise<number> {
  const drops = (await Promise.all(keys.map((key) => pin(key, bucket)))).flatMap((it) => it ?? []);
  const names = drops.map((it) => ({ tenantId: it.tenantId, fileId: dropFileId(bucket.name, it) }));
  const found = await db.getAll(names.map((it) => ({ table: 'files', ...fileKey(it) })));
  const lost = drops.filter((_, i) => found[i] === undefined);
  if (lost.length > 0) await queues.send('file-events', lost.map(lostDrop));
  return lost.length;
}

/** With the version that is there now. */
async function pin(key: string, bucket: Needs['bucket']): Promise<DroppedObject | undefined> {
  const facts = toDrop(key, undefined) && (await bucket.stat(key));
  return facts && toDrop(key, facts.versionId);
}
