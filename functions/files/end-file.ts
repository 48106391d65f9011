import { insertEvent } from '../events/event.store.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { eachBlock, stopBlock } from './block.store.ts';
import { type Block, outcomesOf } from './block.ts';
import { careMessage } from './care-message.ts';
import { commitOutcomes } from './commit-outcomes.ts';
import { storeResults } from './end-block.ts';
import { findFile, markLookedAt, settleFile } from './file.store.ts';
import { type AlertFile, NO_OUTCOMES, withProgress } from './file.ts';
import { areRecordsKept, nextLookMs } from './file-looks.ts';
import { fileEvent } from './file-view.ts';
import { readBlockUsers } from './read-block-users.ts';
import { settleUnknown } from './settle-unknown.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** A worker stops within a batch. */
const LOOK_MS = 5 * SECOND_MS;

/**
 * Ends the blocks of a cancelled file that no worker has in hand, each with its counts. When there
 * are none left, all whom nobody has tried to reach are `cancelled`, and it is told. Safe to
 * repeat; comes back by itself as long as a worker is still at a block.
 */
export async function endFile(file: AlertFile, world: Needs): Promise<void> {
  const name = { tenantId: file.tenantId, fileId: file.id };
  let touched = 0;
  let isBusy = false;
  for await (const block of eachBlock(world.db, name, 0)) {
    touched += block.users;
    if (block.finished) continue;
    const isHeld = (block.leaseMs ?? 0) >= world.clock.nowMs();
    isBusy ||= isHeld || !(await stop(file, block, world));
  }
  if (isBusy) await lookSoon(file, world);
  else await close(file, touched, world);
}

/**
 * Whom a dead worker may have alerted is `uncertain`: nobody will send it again. When records are
 * kept no more, nobody asks for results either, and what the file was made of may be gone.
 */
async function stop(file: AlertFile, found: Block, world: Needs): Promise<boolean> {
  const isKept = areRecordsKept(file, world.clock.nowMs());
  const users = isKept ? await readBlockUsers(world.bucket, file, found.number) : undefined;
  const stopping = { ...file, onUnknown: 'stop' } as const;
  const known = await settleUnknown(found, { file: stopping, users }, world);
  const block = { ...known, finished: true, stopped: true } as const;
  if (users) await storeResults({ file, number: block.number, users }, block, world);
  const blockWrite = stopBlock(file, block, world.clock.nowMs());
  const name = { tenantId: file.tenantId, fileId: file.id };
  return commitOutcomes(name, { change: outcomesOf(block), blockWrite }, world);
}

/** Refused when outcomes of retries are counted at that moment: the next look closes it. */
async function close(file: AlertFile, touched: number, world: Needs): Promise<void> {
  const { clock, db, ids, log } = world;
  const seen = await findFile(db, { tenantId: file.tenantId, fileId: file.id });
  if (seen?.state !== 'cancelled' || seen.closed) return;

  const nowMs = clock.nowMs();
  const cancelled = seen.alerts - touched;
  const counted = withProgress(seen, { ...NO_OUTCOMES, cancelled });
  const closed: AlertFile = { ...counted, closed: true, floor: seen.blocks };
  const dueMs = closed.pending > 0 ? nextLookMs(closed, nowMs) : undefined;
  const event = fileEvent(closed, 'file.cancelled', { id: ids.next('evt'), nowMs });
  const write = settleFile(seen, { ...closed, dueMs }, nowMs);
  const commit = await db.commit([write, insertEvent(event)]);
  log.info('file.cancelled', { tenant: file.tenantId, file: file.id, stored: commit.ok });
  if (!commit.ok) await lookSoon(file, world);
}

async function lookSoon(file: AlertFile, { clock, db, queues }: Needs): Promise<void> {
  const nowMs = clock.nowMs();
  const dueMs = nowMs + LOOK_MS;
  await db.commit([markLookedAt(file, { dueMs, floor: file.floor }, nowMs)]);
  await queues.send('file-care', [careMessage({ ...file, dueMs })]);
}
