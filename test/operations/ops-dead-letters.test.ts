import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApiCaller } from '../../bin/ops/api-caller.ts';
import { type Command, Refusal, readFlags } from '../../bin/ops/command.ts';
import { drop } from '../../bin/ops/drop.ts';
import type { Installation } from '../../bin/ops/installation.ts';
import { redrive } from '../../bin/ops/redrive.ts';
import { dropDeadLetter } from '../../functions/operations/drop-dead-letter.ts';
import { listDeadLetters } from '../../functions/operations/list-dead-letters.ts';
import { redriveDeadLetters } from '../../functions/operations/redrive-dead-letters.ts';
import { systemClock } from '../../functions/shared/system.ts';
import { toInstant } from '../../functions/shared/wire.ts';
import { until } from '../support/until.ts';
import { testWorld } from '../support/world.ts';
import { instanceOf } from '../tenants/tenants-api.ts';
import { openRealQueues, type RealQueues } from './real-queues.ts';

let queues: RealQueues;
let admin: ApiCaller;
beforeEach(async () => {
  queues = await openRealQueues();
  const world = await testWorld();
  const doors = { ...world, deadLetters: queues.deadLetters };
  const ask = instanceOf(doors, [listDeadLetters, redriveDeadLetters, dropDeadLetter]);
  const key = await world.secrets.read('admin-key');
  admin = {
    url: 'http://localhost',
    ask: (method, path, body) => ask(`${method} ${path}`, { key, ...(body && { body }) }),
    async call<Body>(method: string, path: string, body?: object) {
      const answer = await admin.ask(method, path, body);
      if (answer.status >= 300) throw new Refusal(`${answer.body.code}: ${answer.body.detail}`);
      return answer.body as Body;
    },
  };
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await queues.close();
});

/** The command on these queues: how it ended, and what it printed. */
async function run(command: Command, ...args: readonly string[]) {
  const printed: string[] = [];
  const at = { admin: async () => admin } as Partial<Installation> as Installation;
  const ended = await command.run(readFlags(command, args), {
    at,
    print: (line) => printed.push(line),
    note: () => {},
    sleep: systemClock.sleep,
    clock: systemClock,
  });
  return { ended, printed: printed.join('\n') };
}

const park = (queue: string, count: number) =>
  queues.store.send(
    `${queue}-parked`,
    Array.from({ length: count }, () => ({ body: '{}' })),
  );
/** A time after all that was sent so far, and before what will be. */
async function now(): Promise<string> {
  const nextMs = Date.now() + 1;
  await until(Date.now, (it) => it >= nextMs);
  return toInstant(nextMs);
}

describe('drop --all', () => {
  it('empties a queue that is longer than one call looks through', async () => {
    park('tasks', 1_025);
    await now();
    const dropped = await run(drop, 'tasks', '--all', '--reason', 'no messages');
    expect(dropped).toEqual({ ended: 'done', printed: 'tasks: 1025 deleted' });
  });

  it('leaves what came after a time, and calls for a person', async () => {
    park('unprojected', 12);
    const before = await now();
    park('unprojected', 2);
    const args = ['unprojected', '--all', '--before', before, '--reason', 'rebuilt'];
    const would = `unprojected: all 14, if sent before ${before}, would be deleted: rebuilt`;
    expect(await run(drop, ...args, '--dry-run')).toEqual({ ended: 'done', printed: would });
    const printed = 'unprojected: 12 deleted, about 2 are left';
    expect(await run(drop, ...args)).toEqual({ ended: 'person', printed });
  });

  it.each([
    [['unprojected', '--all'], 'say when the rebuild began: --before TIME'],
    [['tasks', 'id', '--before', '2026-11-22T10:00:00Z'], '--before goes with --all'],
    [['tasks', '--all', '--before', 'noon'], '--before is a time such as'],
  ])('refuses %j', async (args, fault) => {
    await expect(run(drop, ...args, '--reason', 'x')).rejects.toThrow(fault);
  });
});

describe('what cannot be', () => {
  it('is refused before any queue is looked at', async () => {
    await expect(run(redrive, 'tasks', '--rate', '501')).rejects.toThrow('--rate is 500 at most');
  });

  it('is not said of one message, which a dry run does not look for', async () => {
    const { printed } = await run(drop, 'tasks', 'id', '--reason', 'x', '--dry-run');
    expect(printed).toBe('tasks: id would be deleted, if it is there: x');
  });
});

describe('one queue', () => {
  it('is asked for alone while it is moved', async () => {
    park('audits', 3);
    park('tasks', 1);
    const { printed } = await run(redrive, 'audits', '--rate', '1');
    expect(printed).toBe('audits: 3 sent again');
    const [other] = queues.store.receive('tasks-parked', 1, 0);
    expect(other?.receives).toBe(1);
  });
});
