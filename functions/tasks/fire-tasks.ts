import type { World } from '../shared/world.ts';
import { endWithEvent, noteEnd } from './end-task.ts';
import { fireTask } from './fire-task.ts';
import { toTask } from './task.store.ts';
import type { EventAction, Task } from './task.ts';
import { EARLY_MS_MAX, type TaskMessage } from './task-message.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>;

/** A task that sends an event, and is due at once or in a moment. */
interface Soon {
  readonly message: TaskMessage;
  readonly task: Task;
  readonly action: EventAction;
}

/**
 * Does for each message what `fireTask` does. Those whose tasks send an event are read together,
 * and those that are due together end in one commit, so that many tasks of one second are not late.
 * Any that cannot is fired by itself. Settles each message: one that is rejected has to come again.
 */
export async function fireTasks(
  messages: readonly TaskMessage[],
  world: Needs,
): Promise<readonly PromiseSettledResult<void>[]> {
  const settled = new Map<TaskMessage, Promise<PromiseSettledResult<void>[]>>();
  const fireAlone = (message: TaskMessage): void => {
    settled.set(message, Promise.allSettled([fireTask(message, world)]));
  };
  const soon = await findSoon(messages, world);
  const tasks = new Set(soon.map((it) => it.message.pk));
  // A copy of a message in the same batch has nothing left to do.
  for (const message of messages) if (!tasks.has(message.pk)) fireAlone(message);
  await fireInTurn(soon, fireAlone, world);
  const results = await Promise.all(messages.map((it) => settled.get(it) ?? []));
  return results.map(([it = DONE]) => it);
}

const DONE: PromiseSettledResult<void> = { status: 'fulfilled', value: undefined };

/** Which of them can be fired together; none where that cannot be known. */
async function findSoon(messages: readonly TaskMessage[], { clock, db, log }: Needs) {
  if (messages.length === 1) return [];
  const keys = messages.map(({ pk }) => ({ table: 'tasks' as const, pk, sk: '#' }));
  const items = await db.getAll(keys).catch((error: unknown) => {
    log.warn('tasks.read-alone', { error });
    return [];
  });
  const soon = new Map<string, Soon>();
  for (const [index, message] of messages.entries()) {
    const task = readTask(items[index]);
    if (task?.state !== 'scheduled' || task.action.type !== 'event') continue;
    if (task.dueMs - clock.nowMs() > EARLY_MS_MAX) continue;
    soon.set(message.pk, { message, task, action: task.action });
  }
  return [...soon.values()].sort((a, b) => a.task.dueMs - b.task.dueMs);
}

/** Undefined also for one that is damaged: its own message has to fail, and no other. */
function readTask(item: Parameters<typeof toTask>[0] | undefined): Task | undefined {
  try {
    return item && toTask(item);
  } catch {
    return undefined;
  }
}

/** The soonest first. What becomes due during a commit is in the next one. */
async function fireInTurn(
  soon: readonly Soon[],
  fireAlone: (message: TaskMessage) => void,
  world: Needs,
): Promise<void> {
  let left = soon;
  for (let next = left[0]; next; next = left[0]) {
    const aheadMs = next.task.dueMs - world.clock.nowMs();
    if (aheadMs > 0) await world.clock.sleep(aheadMs);
    const nowMs = world.clock.nowMs();
    const due = left.filter(({ task }) => task.dueMs <= nowMs);
    // A clock that stands, or was set back: the others may not wait for it.
    const turn = due.length > 0 ? due : left;
    const isDone = due.length > 0 && (await fireTogether(due, world));
    if (!isDone) for (const { message } of turn) fireAlone(message);
    left = left.filter((it) => !turn.includes(it));
  }
}

/** Whether that was the end of all of them; else nobody knows of which. */
async function fireTogether(due: readonly Soon[], world: Needs): Promise<boolean> {
  const ends = due.map(({ task, action }) => endWithEvent(task, action, world));
  try {
    const commit = await world.db.commit(ends.flatMap((it) => it.writes));
    if (commit.ok) for (const { ended } of ends) noteEnd(ended, world);
    return commit.ok;
  } catch (error) {
    world.log.warn('tasks.fire-alone', { tasks: due.length, error });
    return false;
  }
}
