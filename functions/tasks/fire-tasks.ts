import { readable } from '../shared/form.ts';
import { KIB, MIB } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { endWithEvent, noteEnd } from './end-task.ts';
import { fireTask } from './fire-task.ts';
import { toTask } from './task.store.ts';
import type { EventAction, Task } from './task.ts';
import { EARLY_MS_MAX, type TaskMessage } from './task-message.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>;

/** Tasks of one moment are fired by one commit, which takes about as long. */
const MOMENT_MS = 50;

/** A commit may have 4 MB. A task and its event both have the data. */
const COMMIT_BYTES_MAX = 3.5 * MIB;
/** What either has besides, at most. */
const REST_BYTES = 4 * KIB;

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
    const item = items[index];
    // One that is damaged has to fail by its own message, and no other.
    const task = item && readable(() => toTask(item));
    if (task?.state !== 'scheduled' || task.action.type !== 'event') continue;
    if (task.dueMs - clock.nowMs() > EARLY_MS_MAX) continue;
    soon.set(message.pk, { message, task, action: task.action });
  }
  return [...soon.values()].sort((a, b) => a.task.dueMs - b.task.dueMs);
}

/**
 * The soonest first. Who is due a moment after another waits with that one for the same commit, and
 * what becomes due during a commit is in the next one.
 */
async function fireInTurn(
  soon: readonly Soon[],
  fireAlone: (message: TaskMessage) => void,
  world: Needs,
): Promise<void> {
  let left = soon;
  for (let turn = nextTurn(left, world); turn.length > 0; turn = nextTurn(left, world)) {
    left = left.slice(turn.length);
    const aheadMs = (turn.at(-1)?.task.dueMs ?? 0) - world.clock.nowMs();
    if (aheadMs > 0) await world.clock.sleep(aheadMs);
    const nowMs = world.clock.nowMs();
    // A clock that stands, or was set back: the others may not wait for it.
    const [due, early] = partition(turn, ({ task }) => task.dueMs <= nowMs);
    for (const { message } of [...early, ...(await fireTogether(due, world))]) fireAlone(message);
  }
}

/** What is due now, or in the same moment as the soonest, as much of it as a commit can bear. */
function nextTurn(left: readonly Soon[], { clock }: Needs): readonly Soon[] {
  const [first] = left;
  if (!first) return [];
  const untilMs = Math.max(clock.nowMs(), first.task.dueMs + MOMENT_MS);
  let bytes = 0;
  const end = left.findIndex(({ task, action }, n) => {
    bytes += 2 * (Buffer.byteLength(action.data) + REST_BYTES);
    return n > 0 && (task.dueMs > untilMs || bytes > COMMIT_BYTES_MAX);
  });
  return end < 0 ? left : left.slice(0, end);
}

/** Ends them in one commit, but for those that are in its way; answers these. */
async function fireTogether(due: readonly Soon[], world: Needs): Promise<readonly Soon[]> {
  if (due.length === 0) return [];
  const ends = due.map(({ task, action }) => endWithEvent(task, action, world));
  try {
    const commit = await world.db.commit(ends.flatMap((it) => it.writes));
    if (commit.ok) {
      for (const { ended } of ends) noteEnd(ended, world);
      return [];
    }
    const ofWrites = ends.flatMap(({ writes }, n) => writes.map(() => n));
    const refused = new Set(ofWrites.filter((_, at) => commit.reasons[at]?.code !== 'none'));
    const [inTheWay, others] = partition(due, (it) => refused.has(due.indexOf(it)));
    if (inTheWay.length === 0) return due;
    return [...inTheWay, ...(await fireTogether(others, world))];
  } catch (error) {
    world.log.warn('tasks.fire-alone', { tasks: due.length, error });
    return due;
  }
}

function partition<Item>(
  items: readonly Item[],
  isFirst: (item: Item) => boolean,
): readonly [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((it) => !isFirst(it))];
}
