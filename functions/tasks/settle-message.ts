import type { World } from '../shared/world.ts';
import { aLittleLaterMs, sendAgain } from './send-again.ts';
import type { DueTask } from './task-message.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'log' | 'queues'>;

/** The tasks that failed, and what was thrown. */
export type Failures = ReadonlyMap<DueTask, unknown>;

/**
 * How a message with these tasks ends. One of several that failed is sent again by itself, so that
 * the others do not come again for its trouble. One that was alone goes back to its queue, which
 * counts how often it does: what always fails is sent again once, and then parked.
 */
export async function settleMessage(
  tasks: readonly DueTask[],
  failures: Failures,
  world: Needs,
): Promise<PromiseSettledResult<void>> {
  const failed = tasks.filter((it) => failures.has(it));
  const [first] = failed;
  if (!first) return { status: 'fulfilled', value: undefined };
  const isShared = tasks.length > 1;
  if (isShared) noteEach(failed, failures, world);
  if (isShared && (await sendAgain(failed, aLittleLaterMs(world), world))) {
    return { status: 'fulfilled', value: undefined };
  }
  return { status: 'rejected', reason: failures.get(first) };
}

/** What is noted of the message names its first task alone. */
function noteEach(failed: readonly DueTask[], failures: Failures, { log }: Needs): void {
  for (const task of failed) {
    log.error('message.failed', { about: { pk: task.pk }, error: failures.get(task) });
  }
}
