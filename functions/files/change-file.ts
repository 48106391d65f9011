import { insertEvent } from '../events/event.store.ts';
import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { markContent } from './content.store.ts';
import { type FileName, findFile, saveFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import type { FileAction } from './file-action.ts';
import { fileEvent } from './file-view.ts';
import { findProgress } from './find-progress.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

/** Only others that change the state of the same file at the same moment refuse a write. */
const ROUNDS = 8;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Takes a file to its next state and tells of it, in one commit with what else the step brings.
 * Answers the file as it is then, and whether that is news. Refuses with `not_found`, with what the
 * action refuses, and with `busy` when others are always quicker.
 */
export async function changeFile(
  name: FileName,
  action: FileAction,
  world: Needs,
): Promise<{ readonly file: AlertFile; readonly changed: boolean }> {
  const { clock, db, ids, log } = world;
  for (let round = 0; round < ROUNDS; round += 1) {
    const seen = await findFile(db, name);
    if (!seen) throw new Problem('not_found');
    const nowMs = clock.nowMs();
    const step = action(seen, nowMs);
    if (!step) return { file: seen, changed: false };

    const { file, tells } = step;
    const told = tells && (await withCountsOfNow(file, db));
    const event = told && fileEvent(told, tells, { id: ids.next('evt'), nowMs });
    const writes = [
      saveFile(seen, file, nowMs),
      ...(event ? [insertEvent(event)] : []),
      ...(tells === 'file.released' ? markReleased(file, nowMs) : []),
      ...((await step.besides?.(db)) ?? []),
    ];
    if ((await db.commit(writes)).ok) {
      log.info('file.changed', { ...name, state: file.state, reason: file.reason });
      return { file, changed: true };
    }
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', {
    detail: 'The file is being changed by others. Try again.',
    retryAfterSeconds: 1,
  });
}

/** Its bytes go out from now on, however long ago they were read: the same ones are a repeat. */
function markReleased(file: AlertFile, nowMs: number): Write[] {
  const { contentHash } = file;
  if (contentHash === undefined) return [];
  return [markContent({ ...file, allowRepeat: true }, contentHash, nowMs)];
}

/** Workers count block by block: what is told counts in the blocks that they are at. */
async function withCountsOfNow(file: AlertFile, db: Needs['db']): Promise<AlertFile> {
  if (file.state === 'cancelled') return file;
  const now = await findProgress({ db }, { tenantId: file.tenantId, fileId: file.id });
  if (!now) return file;
  const { delivered, failed, uncertain, cancelled, pending } = now;
  return { ...file, delivered, failed, uncertain, cancelled, pending };
}
