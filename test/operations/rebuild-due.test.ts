import { beforeEach, expect, it } from 'vitest';
import { rebuild } from '../../bin/ops/rebuild.ts';
import { HOUR_MS, MINUTE_MS } from '../../functions/shared/units.ts';
import { taskKey } from '../../functions/tasks/task.store.ts';
import { findSweep, putSweep } from '../../functions/timers/sweep.store.ts';
import { sweepTable } from '../../functions/timers/sweep-tables.ts';
import { schedule, type TasksWorld, tasksClient, tasksWorld } from '../tasks/tasks-house.ts';
import { runOn } from './desk.ts';

let world: TasksWorld;
let printed: string[];
beforeEach(async () => {
  world = await tasksWorld();
  printed = [];
});

const ops = (...args: readonly string[]) =>
  runOn(world, { command: rebuild, print: (line) => void printed.push(line) }, args);

/** A tick after so long. That nothing was due in between is taken for granted: it saves reads. */
async function tickAfter(ms: number): Promise<void> {
  world.clock.advance(ms);
  const sweep = await findSweep(world.db, 'tasks');
  if (!sweep) throw new Error('it was never swept');
  const settled = Math.floor(world.clock.nowMs() / MINUTE_MS) - 11;
  const watch = { ...sweep.watch, through: Math.max(sweep.watch.through, settled) };
  await world.db.commit([putSweep('tasks', { ...sweep, watch })]);
  await sweepTable('tasks', world);
}

/** One that no worker has done for many hours; the sweeper looks at it no more. */
async function givenUpTask() {
  const { ask, tenantId } = tasksClient(world);
  await sweepTable('tasks', world);
  const { id } = await schedule(ask, 300);
  world.clock.advance(20 * MINUTE_MS);
  await sweepTable('tasks', world);
  for (let ticks = 0; world.parked.length === 0; ticks += 1) {
    expect(ticks).toBeLessThan(20);
    await tickAfter(40 * MINUTE_MS);
  }
  // SQS has forgotten the dead letter.
  world.parked.splice(0);
  world.sent.splice(0);
  await tickAfter(HOUR_MS);
  expect(world.sent).toEqual([]);
  return { id, key: taskKey(tenantId, String(id)) };
}

it('files again what the sweeper gave up, so that the next tick sends it', async () => {
  const { key } = await givenUpTask();

  expect(await ops('due')).toBe('done');

  expect(printed).toContain('  1  filed again in tasks');
  await sweepTable('tasks', world);
  expect(world.sent.map((it) => [it.queue, it.body.pk])).toEqual([['tasks', key.pk]]);
});

it('only counts in a dry run, and finds nothing the second time', async () => {
  const { key } = await givenUpTask();
  const before = await world.db.get('tasks', key);

  await ops('due', '--dry-run');
  expect(printed.splice(0)).toEqual([
    'would be put right:',
    '  1  filed again in tasks',
    'lost: nothing',
  ]);
  expect(await world.db.get('tasks', key)).toEqual(before);

  await ops('due');
  printed.splice(0);
  expect(await ops('due')).toBe('done');
  expect(printed).toEqual(['put right: nothing', 'lost: nothing']);
});

it('names what cannot be read, and says that a person is needed', async () => {
  const { id, key } = await givenUpTask();
  const item = { ...key, ...(await world.db.get('tasks', key)), state: 'odd' };
  await world.db.commit([{ kind: 'put', table: 'tasks', item }]);

  expect(await ops('due')).toBe('person');

  expect(printed[0]).toMatch(new RegExp(`^lost: ${id}: tasks has a row of it that cannot be read`));
});

it('is of all tenants, and one of two things', async () => {
  await expect(ops('due', '--tenant', 'ten_1')).rejects.toThrow('is of all tenants');
  await expect(ops('all')).rejects.toThrow('say what to rebuild: statements or due');
});
