import type { TickTime } from '../shared/aws/schedule.ts';
import type { ObjectVersion } from '../shared/bucket.ts';
import type { Key, World } from '../shared/world.ts';
import { findDropMark, putDropMark } from './drop-mark.store.ts';
import { DROPS, DROPS_KEPT_MS, type DroppedObject, dropFileId, toDrop } from './dropped-object.ts';
import { type FileName, fileKey } from './file.store.ts';
import { strayKey } from './stray-drop.store.ts';
import { lostDrop } from './upload-message.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'log' | 'queues'>;

/**
 * Looks through `drop/`, which is short because objects leave it after some days, and tells the
 * parser of every version of an object of which no file was made: its event got lost. One that was
 * overwritten since is a file like any other. Repeated events are harmless, so what is just
 * arriving may be among them. A thousand versions cost one request to the bucket and ten to the
 * table. A look that runs out of time is gone on with by the next one.
 */
export async function findLostDrops(world: Needs, { stopMs }: Pick<TickTime, 'stopMs'>) {
  const { bucket, clock, db, log } = world;
  const begun = await findDropMark(db);
  // Before it is used: a mark that cannot be gone on from is in the way once.
  if (begun) await db.commit([putDropMark(undefined)]);
  let after = begun;
  let lost = 0;
  do {
    const page = await bucket.listVersions(DROPS, after);
    lost += await remind(page.versions, world);
    after = page.next;
  } while (after !== undefined && clock.nowMs() < stopMs);
  if (after) await db.commit([putDropMark(after)]);
  log.info('drops.looked-through', { lost, toTheEnd: after === undefined });
}

async function remind(
  versions: readonly ObjectVersion[],
  { bucket, clock, db, queues }: Needs,
): Promise<number> {
  // Of an older one the file may be forgotten already, and it must not be sent again.
  const oldestMs = clock.nowMs() - DROPS_KEPT_MS;
  const fresh = versions.filter(({ modifiedMs }) => modifiedMs >= oldestMs);
  const drops = fresh.flatMap(({ key, versionId }) => toDrop(key, versionId) ?? []);
  const found = async (some: readonly DroppedObject[], keyOf: (name: FileName) => Key) => {
    const names = some.map((it) => ({
      tenantId: it.tenantId,
      fileId: dropFileId(bucket.name, it),
    }));
    return db.getAll(names.map((name) => ({ table: 'files', ...keyOf(name) })));
  };
  const files = await found(drops, fileKey);
  const unknown = drops.filter((_, i) => files[i] === undefined);
  const strays = await found(unknown, strayKey);
  const lost = unknown.filter((_, i) => strays[i] === undefined);
  if (lost.length > 0) await queues.send('file-events', lost.map(lostDrop));
  return lost.length;
}
