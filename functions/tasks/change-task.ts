import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { Problem } from '../shared/problem.ts';
import type { World, Write } from '../shared/world.ts';
import { toTask } from './task.store.ts';
import type { Task } from './task.ts';

/**
 * Makes a change that only a scheduled task bears, and answers the task as it is then, changed or
 * not. Refuses with `not_found` where there is none.
 */
export async function changeTask(
  world: Pick<World, 'clock' | 'ids' | 'db'>,
  change: Write,
): Promise<{ readonly task: Task; readonly isChanged: boolean }> {
  const commit = await commitDespiteConflicts(world, [change]);
  const item = commit.ok ? commit.item : commit.reasons[0]?.item;
  if (!item) throw new Problem('not_found');
  return { task: toTask(item), isChanged: commit.ok };
}
