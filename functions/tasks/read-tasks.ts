import { readEach } from '../shared/form.ts';
import { route } from '../shared/http/route.ts';
import { countFitting, makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { idOfPlace, placeOf, readByTime, type TimeList } from '../shared/time-list.ts';
import type { Item, World } from '../shared/world.ts';
import { getTaskRoute, listTasksRoute } from './contract.ts';
import { findTask, findTasks, LISTING_SHARDS, taskListing } from './task.store.ts';
import type { Task } from './task.ts';
import { taskView } from './task-view.ts';

/** GET /v1/tasks/{id}: strongly consistent. */
export const getTask = route(
  getTaskRoute,
  async ({ tenantId, params }, { db }: Pick<World, 'db'>) => {
    const task = await findTask(db, tenantId, params.id);
    if (!task) throw new Problem('not_found');
    return { body: taskView(task) };
  },
);

/** Few tasks of a tenant may be of one type: so many are looked at at once. */
const ROWS_OF_TYPE = 100;

/** GET /v1/tasks: which ones is up to a second old, what they are is not. */
export const listTasks = route(
  listTasksRoute,
  async ({ tenantId, query }, world: Pick<World, 'db' | 'log' | 'secrets'>) => {
    const { limit, cursor, ...filter } = query;
    const { state, type, dueFrom, dueTo } = filter;
    const shards = Array.from({ length: LISTING_SHARDS }, (_, shard) => shard);
    const list: TimeList = {
      table: 'tasks',
      index: 'listing',
      partitions: shards.map((shard) => taskListing(tenantId, state, shard)),
      order: state === 'scheduled' ? 'oldest first' : 'newest first',
      fromMs: dueFrom,
      toMs: dueTo,
    };
    const boundTo = [tenantId, 'tasks', JSON.stringify(filter)];
    const key = await world.secrets.read('cursor-key');
    const { items, next } = await readByTime(world.db, list, {
      limit,
      after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
      rows: type === undefined ? limit : ROWS_OF_TYPE,
      pick: (rows) => pickTasks(rows, { state, type }, world),
    });
    return { body: pageOf(items, next, (at) => makeCursor({ at }, boundTo, key)) };
  },
);

interface Found {
  readonly view: ReturnType<typeof taskView>;
  readonly place: string;
}

/** The tasks behind these rows; undefined for one that is not what is wanted, or unreadable. */
async function pickTasks(
  rows: readonly Item[],
  wanted: { readonly state: Task['state']; readonly type: Task['action']['type'] | undefined },
  world: Pick<World, 'db' | 'log'>,
): Promise<(Found | undefined)[]> {
  const tasks = await findTasks(world, rows);
  const pick = (row: Item) => {
    const place = placeOf(row, { index: 'listing' });
    const task = tasks.get(idOfPlace(place));
    const isOfType = wanted.type === undefined || task?.action.type === wanted.type;
    if (task?.state !== wanted.state || !isOfType) return undefined;
    return { view: taskView(task), place };
  };
  return readEach(rows, pick, world);
}

/** As many as one answer can carry: a task may have 64 KB. */
function pageOf(
  found: readonly Found[],
  next: string | undefined,
  cursorAt: (place: string) => string,
) {
  const views = found.map((it) => it.view);
  const count = countFitting(views);
  const at = count < found.length ? found[count - 1]?.place : next;
  const nextCursor = at === undefined ? undefined : cursorAt(at);
  return { data: views.slice(0, count), nextCursor, hasMore: nextCursor !== undefined };
}
