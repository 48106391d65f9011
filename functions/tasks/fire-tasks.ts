import { readable } from '../shared/form.ts';
import { KIB, MIB } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { endWithEvent, noteEnd } from './end-task.ts';
import { fireTask, type Place } from './fire-task.ts';
import { settleMessage } from './settle-message.ts';
import { openLanes } from './take-lane.ts';
import { toTask } from './task.store.ts';
import type { EventAction, Task } from './task.ts';
import { type DueTask, EARLY_MS_MAX, type TaskMessage, tasksIn } from './task-message.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>;

/** Tasks of one moment are fired by one commit, which takes about as long. */
const MOMENT_MS = 50;

/** A commit may have 100 writes. A task and its event are two. */
const COMMIT_TASKS_MAX = 50;
/** A commit may have 4 MB. A task and its event both have the data. */
const COMMIT_BYTES_MAX = 3.5 * MIB;
/** What either has besides, at most. */
const REST_BYTES = 4 * KIB;

/** A task that sends an event, and is due at once or in a moment. */
interface Soon {
  readonly due: DueTask;
  readonly task: Task;
  readonly action: EventAction;
}

/**
 * Does for each task of each message what `fireTask` does. All are read together, and those that
 * send an event and are due together end in one commit, so that many tasks of one second are not
 * late. Any that cannot is fired by itself. Settles each message: one that is rejected has to come
 * again, whole.
 */
export async function fireTasks(
  messages: readonly TaskMessage[],
  world: Needs,
): Promise<readonly PromiseSettledResult<void>[]> {
  const failures = new Map<DueTask, unknown>();
  const fireAlone: FireAlone = async (task, place) => {
    await fireTask(task, world, place).catch((error: unknown) => failures.set(task, error));
  };
  const named = messages.map(tasksIn);
  const all = named.flat();
  const read = await readTasks(all, world);
  const soon = findSoon(all, read, world);
  const together = new Set(soon.map((it) => it.due.pk));
  // A copy of a message in the same batch has nothing left to do.
  const others = all.filter((it) => !together.has(it.pk));
  await Promise.all([fireEach(others, read, fireAlone), fireInTurn(soon, fireAlone, world)]);
  return Promise.all(named.map((it) => settleMessage(it, failures, world)));
}

type Read = ReadonlyMap<string, Task>;
type FireAlone = (task: DueTask, place?: Place) => Promise<void>;

/** Each waits for its time, and a few act at a time: the soonest first, and fair among tenants. */
async function fireEach(
  tasks: readonly DueTask[],
  read: Read,
  fireAlone: FireAlone,
): Promise<void> {
  const inTurn = openLanes();
  const dueMs = (it: DueTask) => read.get(it.pk)?.dueMs ?? it.dueMs;
  const inOrder = tasks.toSorted((a, b) => dueMs(a) - dueMs(b));
  await Promise.all(inOrder.map((it) => fireAlone(it, { read: read.get(it.pk), inTurn })));
}

/** The tasks that can be read together, by their keys. */
async function readTasks(all: readonly DueTask[], { db, log }: Needs): Promise<Read> {
  if (all.length === 1) return new Map();
  const keys = all.map(({ pk }) => ({ table: 'tasks' as const, pk, sk: '#' }));
  const items = await db.getAll(keys).catch((error: unknown) => {
    log.warn('tasks.read-alone', { error });
    return [];
  });
  const read = new Map<string, Task>();
  for (const [index, { pk }] of all.entries()) {
    const item = items[index];
    // One that is damaged has to fail by itself, and no other.
    const task = item && readable(() => toTask(item));
    if (task) read.set(pk, task);
  }
  return read;
}

/** Which of them can be fired together, the soonest first. */
function findSoon(all: readonly DueTask[], read: Read, { clock }: Needs): readonly Soon[] {
  const soon = new Map<string, Soon>();
  for (const due of all) {
    const task = read.get(due.pk);
    if (task?.state !== 'scheduled' || task.action.type !== 'event') continue;
    if (task.dueMs - clock.nowMs() > EARLY_MS_MAX) continue;
    soon.set(due.pk, { due, task, action: task.action });
  }
  return [...soon.values()].sort((a, b) => a.task.dueMs - b.task.dueMs);
}

/**
 * The soonest first. Who is due a moment after another waits with that one for the same commit, and
 * what becomes due during a commit is in the next one.
 */
async function fireInTurn(
  soon: readonly Soon[],
  fireAlone: FireAlone,
  world: Needs,
): Promise<void> {
  const apart: Promise<void>[] = [];
  let left = soon;
  for (let turn = nextTurn(left, world); turn.length > 0; turn = nextTurn(left, world)) {
    left = left.slice(turn.length);
    const aheadMs = (turn.at(-1)?.task.dueMs ?? 0) - world.clock.nowMs();
    if (aheadMs > 0) await world.clock.sleep(aheadMs);
    const nowMs = world.clock.nowMs();
    // A clock that stands, or was set back: the others may not wait for it.
    const [due, early] = partition(turn, ({ task }) => task.dueMs <= nowMs);
    const refused = await fireTogether(due, world);
    apart.push(...[...early, ...refused].map((it) => fireAlone(it.due)));
  }
  await Promise.all(apart);
}

/** What is due now, or in the same moment as the soonest, as much of it as a commit can bear. */
function nextTurn(left: readonly Soon[], { clock }: Needs): readonly Soon[] {
  const [first] = left;
  if (!first) return [];
  const untilMs = Math.max(clock.nowMs(), first.task.dueMs + MOMENT_MS);
  let bytes = 0;
  const end = left.findIndex(({ task, action }, n) => {
    bytes += 2 * (Buffer.byteLength(action.data) + REST_BYTES);
    const isFull = n === COMMIT_TASKS_MAX || bytes > COMMIT_BYTES_MAX;
    return n > 0 && (task.dueMs > untilMs || isFull);
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
