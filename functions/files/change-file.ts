import { insertEvent } from '../events/event.store.ts';
import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type FileName, findFile, saveChange } from './file.store.ts';
import type { AlertFile } from './file.ts';
import type { FileAction } from './file-action.ts';
import { fileEvent } from './file-view.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

/** Only others that change the state of the same file at the same moment refuse a write. */
const ROUNDS = 8;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/**
 * Takes a file to its next state and tells of it, in one commit. Answers the file as it is then,
 * and whether that is news. Refuses with `not_found`, with what the action refuses, and with
 * `busy` when others are always quicker.
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
    const event = tells && fileEvent(file, tells, { id: ids.next('evt'), nowMs });
    const writes = [saveChange(seen, file, nowMs), ...(event ? [insertEvent(event)] : [])];
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
