import { insertEvent } from '../events/event.store.ts';
import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { addOutcomes, type FileName, findFile, settleFile } from './file.store.ts';
import { type AlertFile, type Outcomes, sumOf, withOutcomes } from './file.ts';
import { fileEvent } from './file-view.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

const ROUNDS = 8;
const PAUSE = { baseMs: 10, capMs: SECOND_MS };

/** What is stored together. */
export interface Counting {
  readonly change: Outcomes;
  readonly blockWrite: Write;
}

/**
 * Counts final outcomes together with the write of the block that they come from, so that each
 * is counted once. The last one completes the file and tells so in the same commit. False when
 * somebody else has counted: the block's own write was refused, or these users are no longer
 * pending. Refuses with `busy` when the file is contended again and again.
 */
export async function commitOutcomes(
  name: FileName,
  { change, blockWrite }: Counting,
  world: Needs,
): Promise<boolean> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await findFile(world.db, name);
    if (!seen) throw new Error(`file ${name.fileId} of a block is gone`);
    if (sumOf(change) > seen.pending) return false;

    const counting = countingWrites(seen, change, world);
    const commit = await world.db.commit([blockWrite, ...counting]);
    if (commit.ok) return true;
    if (commit.reasons[0]?.code === 'condition') return false;
    await world.clock.sleep(fullJitterMs(round, PAUSE, world.ids.random()));
  }
  throw new Problem('busy', { detail: 'Too many blocks of one file end at the same moment.' });
}

function countingWrites(seen: AlertFile, change: Outcomes, { clock, ids, log }: Needs): Write[] {
  const nowMs = clock.nowMs();
  const next = withOutcomes(seen, change, nowMs);
  // What takes nobody moves users between outcomes, also of a file that is at its end.
  if (next.pending > 0 || sumOf(change) === 0) return [addOutcomes(seen, change)];
  const settling = settleFile(seen, next, nowMs);
  if (next.state === seen.state) return [settling];

  log.info('file.completed', { tenant: next.tenantId, file: next.id });
  const event = fileEvent(next, 'file.completed', { id: ids.next('evt'), nowMs });
  return [settling, insertEvent(event)];
}
