import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { wholeBatch } from '../../functions/shared/aws/batch.ts';
import { SECOND_MS } from '../../functions/shared/units.ts';
import { fireTasks } from '../../functions/tasks/fire-tasks.ts';
import { TaskMessage, tasksIn } from '../../functions/tasks/task-message.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import { NOON_MS } from '../support/world.ts';
import { messageOf, schedule, type TasksWorld, tasksClient, tasksWorld } from './tasks-house.ts';

let world: TasksWorld;
let tenantId: `ten_${string}`;
let ask: Ask;
beforeAll(async () => {
  world = await tasksWorld();
});
beforeEach(() => {
  world.clock.set(NOON_MS);
  ({ tenantId, ask } = tasksClient(world));
});

/** Tasks that share a message, whose second and fourth are damaged. */
async function withDamaged() {
  const tasks: RoomBody[] = [];
  while (tasks.length < 5) tasks.push(await schedule(ask, 1));
  const [first, ...others] = tasks.map((it) => messageOf(tenantId, it));
  const damaged = [others[0], others[2]].map((it) => String(it?.pk));
  await world.db.commit(
    damaged.map((pk) => ({
      ...{ kind: 'update', table: 'tasks', key: { pk, sk: '#' } },
      update: 'REMOVE eventType',
    })),
  );
  world.sent.splice(0);
  world.lines.splice(0);
  const whole = tasks.filter((it) => !damaged.includes(messageOf(tenantId, it).pk));
  return { damaged, whole, message: { v: 1, sk: '#', ...first, others } };
}

/** What a worker with these doors gives back of the messages with these bodies. */
async function receive(bodies: readonly object[], doors: TasksWorld = world) {
  const handler = wholeBatch(doors, TaskMessage, fireTasks);
  const Records = bodies.map((it, n) => ({ messageId: `m${n}`, body: JSON.stringify(it) }));
  const { batchItemFailures } = await handler({ Records } as never, {} as never);
  return batchItemFailures.map((it) => it.itemIdentifier);
}

const failed = () => world.lines.filter((it) => it.event === 'message.failed');
const statesOf = async (tasks: readonly RoomBody[]) => {
  const shown = await Promise.all(tasks.map(({ id }) => ask(`GET /v1/tasks/${id}`)));
  return shown.map(({ body }) => body.state);
};

describe('a message that several tasks share, two of which always fail', () => {
  it('is done for the others, and sends those two again, each by itself', async () => {
    const { damaged, whole, message } = await withDamaged();

    expect(await receive([message])).toEqual([]);

    expect(await statesOf(whole)).toEqual(['fired', 'fired', 'fired']);
    const sent = world.sent.splice(0);
    const named = sent.map(({ body }) => tasksIn(TaskMessage.parse(body)).map((it) => it.pk));
    expect(named).toEqual(damaged.map((pk) => [pk]));
    for (const { queue, group, atMs = 0 } of sent) {
      expect({ queue, group }).toEqual({ queue: 'tasks', group: tenantId });
      expect(atMs - world.clock.nowMs()).toBeGreaterThanOrEqual(SECOND_MS);
      expect(atMs - world.clock.nowMs()).toBeLessThan(5 * SECOND_MS);
    }
    expect(failed().map((it) => it.about)).toEqual(damaged.map((pk) => ({ pk })));
    expect(String(failed()[0]?.error)).toContain('has no action');
  });

  it('sends them again once: then they go back by themselves until they are parked', async () => {
    const { damaged, message } = await withDamaged();
    await receive([message]);
    const again = world.sent.splice(0).map((it) => it.body);
    world.lines.splice(0);

    for (let receives = 0; receives < 5; receives += 1) {
      expect(await receive(again)).toEqual(['m0', 'm1']);
    }

    expect(world.sent).toEqual([]);
    expect(failed()[0]).toMatchObject({ messageId: 'm0', about: { pk: damaged[0] } });
  });

  it.each<[string, TasksWorld['queues']['send']]>([
    ['does not answer', () => Promise.reject(new Error('down'))],
    ['refuses one of them', async () => [1]],
  ])('goes back as it is when the queue %s, and the log names both', async (_what, send) => {
    const { damaged, whole, message } = await withDamaged();

    expect(await receive([message], { ...world, queues: { send } })).toEqual(['m0']);

    expect(await statesOf(whole)).toEqual(['fired', 'fired', 'fired']);
    const [first, second] = failed();
    expect([first?.about, second?.about]).toEqual(damaged.map((pk) => ({ pk })));
  });
});
