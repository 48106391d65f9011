import type { DailyEvents } from '../../functions/events/take-day.ts';
import type { Route, Scope } from '../../functions/shared/http/route.ts';
import { cancelTask } from '../../functions/tasks/cancel-task.ts';
import { createTask } from '../../functions/tasks/create-task.ts';
import { getTask, listTasks } from '../../functions/tasks/read-tasks.ts';
import { updateTask } from '../../functions/tasks/update-task.ts';
import { eventsTaker } from '../../functions/tenants/take-events.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import { type Ask, type RoomBody, roomClient } from '../support/room-client.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

export type TasksWorld = TestWorld & DailyEvents;

/** The doors of tasks/api and of tasks/on-due. */
export async function tasksWorld(): Promise<TasksWorld> {
  const world = await testWorld();
  const takeEvents = eventsTaker();
  return { ...world, takeEvents: (asked) => takeEvents(world, asked) };
}

const ROUTES = [createTask, listTasks, getTask, updateTask, cancelTask] as Route<TasksWorld>[];

interface Caller {
  readonly tenantId?: `ten_${string}`;
  readonly scopes?: readonly Scope[];
  readonly dailyEvents?: number;
}

const ALL: readonly Scope[] = ['tasks:write', 'events:write', 'ledger:write'];

/** A tenant of its own, unless one is named, and whoever calls on its behalf. */
export function tasksClient(world: TasksWorld, caller: Caller = {}) {
  const { tenantId = newTenant(world), scopes = ALL, dailyEvents } = caller;
  const ask: Ask = roomClient(world, ROUTES, {
    tenantId,
    dailyEvents,
    allows: (scope) => scopes.includes(scope),
  });
  return { tenantId, ask };
}

/** An event of the tenant's own. */
export const HELLO = { type: 'event', eventType: 'app.hello', data: { n: 1 } } as const;

/** Creates a task that is due in so many seconds; throws when it is refused. */
export async function schedule(
  ask: Ask,
  delaySeconds: number,
  action: object = HELLO,
): Promise<RoomBody> {
  const { status, body } = await ask('POST /v1/tasks', { body: { delaySeconds, action } });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body;
}

/** The message that looks at a task. */
export function messageOf(tenantId: string, task: RoomBody) {
  return { pk: `${tenantId}#${task.id}`, dueMs: Date.parse(String(task.dueAt)) };
}

/** The events that a tenant's tasks have sent so far. */
export async function eventsOf({ client, tables }: TestWorld, tenantId: string) {
  const items = await scanTable(client, tables.outbox);
  return items.filter((it) => it.tenant === tenantId);
}
