import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Crowd } from '../../local/lambda/crowd.ts';
import { FunctionPool, type PoolLimits } from '../../local/lambda/pool.ts';
import type { LocalLog } from '../../local/log.ts';
import { eventually } from '../support/until.ts';

/** What the event asks for decides what the function does. */
const CODE = `
let calls = 0;
export const handler = async (event, context) => {
  calls += 1;
  if (event.do === 'throw') throw new RangeError('told to');
  if (event.do === 'crash') process.exit(3);
  if (event.do === 'reject') {
    Promise.reject(new Error('nobody waits'));
    await new Promise(() => {});
  }
  if (event.do === 'hang') {
    console.log('hangs');
    await new Promise(() => setInterval(() => {}, 1000));
  }
  if (event.do === 'block') for (;;);
  if (event.do === 'env') return process.env;
  if (event.do === 'context') return { ...context, left: context.getRemainingTimeInMillis() };
  if (event.do === 'log') console.log('a line');
  if (event.do === 'wait') await new Promise((resolve) => setTimeout(resolve, 100));
  if (event.do === 'bigint') return 1n;
  return { calls, pid: process.pid };
};
export const notAFunction = 1;
`;

let dir: string;
const pools: FunctionPool[] = [];
const said: string[] = [];
const log: LocalLog = {
  file: '',
  line: () => undefined,
  say: (source, text) => void said.push(`${source}: ${text}`),
  follow: (_, stream) => void stream.on('data', (chunk) => said.push(String(chunk).trim())),
  close: async () => undefined,
};
const activity = { touch: () => undefined };

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'pool-test-'));
  writeFileSync(join(dir, 'index.mjs'), CODE);
  writeFileSync(join(dir, 'broken.mjs'), 'throw new Error("cannot load");');
});

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
  said.length = 0;
});
afterAll(() => rmSync(dir, { recursive: true }));

function open(
  more: { file?: string; exportName?: string; timeoutMs?: number } = {},
  { crowd = new Crowd(100), ...limits }: { crowd?: Crowd } & Partial<PoolLimits> = {},
) {
  const spec = {
    name: 'Small-Worker',
    title: 'small/worker',
    file: join(dir, 'index.mjs'),
    exportName: 'handler',
    environment: { AWS_LAMBDA_FUNCTION_NAME: 'Small-Worker', ONLY: 'this' },
    // Against hanging, where nothing else is said.
    timeoutMs: 300_000,
    memoryMb: 128,
    ...more,
  };
  const pool = new FunctionPool(
    spec,
    { log, activity, crowd },
    { instancesMax: 3, idleMs: 60_000, onlyIdleMs: 60_000, ...limits },
  );
  pools.push(pool);
  return pool;
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('FunctionPool', () => {
  it('keeps an instance warm for the next event', async () => {
    const pool = open();
    const first = await pool.invoke({});
    const second = await pool.invoke({});
    expect([first, second]).toMatchObject([
      { ok: true, result: { calls: 1, pid: pool.processIds[0] } },
      { ok: true, result: { calls: 2, pid: pool.processIds[0] } },
    ]);
  });

  it('gives the function the environment of its template and nothing else', async () => {
    const { PATH: _, ...environment } = open().spec.environment;
    expect(await open().invoke({ do: 'env' })).toEqual({ ok: true, result: environment });
  });

  it('tells the function its request and the time that is left', async () => {
    const timeoutMs = 60_000;
    const startMs = Date.now();
    const answer = await open({ timeoutMs }).invoke({ do: 'context' });
    const tookMs = Date.now() - startMs;
    expect(answer).toMatchObject({
      ok: true,
      result: {
        awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        functionName: 'Small-Worker',
        left: expect.toSatisfy((it: number) => it >= timeoutMs - tookMs && it <= timeoutMs),
      },
    });
  });

  it('writes what the function prints into the log', async () => {
    await open().invoke({ do: 'log' });
    await eventually(() => expect(said).toContain('a line'));
  });

  it.each([
    ['throw', { errorType: 'RangeError', errorMessage: 'told to' }],
    ['bigint', { errorType: 'TypeError' }],
  ])('answers a failure and keeps the instance when told to %s', async (what, failure) => {
    const pool = open();
    expect(await pool.invoke({ do: what })).toMatchObject({ ok: false, failure });
    expect(await pool.invoke({})).toMatchObject({ ok: true, result: { calls: 2 } });
  });

  it.each([
    ['crash', 'exit code 3'],
    ['reject', 'exit code 1'],
  ])(
    'says plainly that an instance crashed when told to %s, and starts another',
    async (what, how) => {
      const pool = open();
      expect(await pool.invoke({ do: what })).toMatchObject({
        ok: false,
        failure: { errorType: 'Runtime.ExitError' },
      });
      expect(said).toContain(`small/worker: the instance crashed (${how})`);
      expect(await pool.invoke({})).toMatchObject({ ok: true, result: { calls: 1 } });
    },
  );

  it.each(['hang', 'block'])('kills an instance at its deadline when told to %s', async (what) => {
    const pool = open({ timeoutMs: 300 });
    const answer = pool.invoke({ do: what });
    expect(pool.processIds).toHaveLength(1);
    const [pid = 0] = pool.processIds;
    expect(await answer).toEqual({
      ok: false,
      failure: { errorType: 'Sandbox.Timedout', errorMessage: 'Task timed out after 0.30 seconds' },
    });
    expect(said).toContain('small/worker: Task timed out after 0.30 seconds');
    await eventually(() => expect(isRunning(pid)).toBe(false));
  });

  it('runs as many instances as the load asks for, up to the limit', async () => {
    const pool = open({}, { instancesMax: 2 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => pool.invoke({ do: 'wait' })));
    expect(answers.every(({ ok }) => ok)).toBe(true);
    expect(pool.processIds).toHaveLength(2);
  });

  it('ends the instances that are idle, but the only one later', async () => {
    const pool = open({}, { idleMs: 50, instancesMax: 2 });
    await Promise.all([pool.invoke({ do: 'wait' }), pool.invoke({ do: 'wait' })]);
    await Promise.all([pool.invoke({ do: 'wait' }), pool.invoke({ do: 'wait' })]);
    await eventually(() => expect(pool.processIds).toHaveLength(1));
    const [pid = 0] = pool.processIds;
    await pool.invoke({ do: 'wait' });
    expect(pool.processIds).toEqual([pid]);
  });

  it('starts no second instance in a full crowd, and takes the place of an idle one', async () => {
    // Nobody is idle for long enough, or waits for long, before the clock says so.
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const crowd = new Crowd(2);
    const [idle, busy] = [open({}, { crowd }), open({}, { crowd })];
    await idle.invoke({});
    const idleSinceMs = Date.now();
    vi.setSystemTime(idleSinceMs + 999);
    const events = [busy.invoke({ do: 'hang' }), busy.invoke({})];
    await eventually(() => expect(said).toContain('hangs'));
    expect([idle.processIds.length, busy.processIds.length]).toEqual([1, 1]);
    vi.setSystemTime(idleSinceMs + 1_000);
    expect(await events[1]).toMatchObject({ ok: true });
    expect([idle.processIds.length, busy.processIds.length]).toEqual([0, 2]);
  });

  it('lets the event of one source not wait behind those of another', async () => {
    const pool = open({}, { instancesMax: 2 });
    const order: string[] = [];
    const told = (name: string, source: string) =>
      pool.invoke({ do: 'wait' }, source).then(() => void order.push(name));
    void pool.invoke({ do: 'hang' }, 'a');
    await Promise.all([told('a1', 'a'), told('a2', 'a'), told('b1', 'b'), told('b2', 'b')]);
    expect(order).toEqual(['b1', 'b2', 'a1', 'a2']);
  });

  it('ends an instance that is idle for too long', async () => {
    const pool = open({}, { idleMs: 50, onlyIdleMs: 50 });
    await pool.invoke({});
    const [pid = 0] = pool.processIds;
    await eventually(() => expect(isRunning(pid)).toBe(false));
    expect(pool.processIds).toEqual([]);
    expect(said).toEqual([]);
  });

  it('kills running instances on demand and goes on with new ones', async () => {
    const pool = open();
    const hanging = pool.invoke({ do: 'hang' });
    expect(pool.processIds).toHaveLength(1);
    await pool.invoke({});
    expect(await pool.kill()).toBeGreaterThan(0);
    expect(await hanging).toMatchObject({ ok: false });
    expect(await pool.invoke({})).toMatchObject({ ok: true, result: { calls: 1 } });
  });

  it.each([
    ['a bundle that cannot be loaded', 'broken.mjs', 'handler', 'cannot load'],
    ['an export that is no function', 'index.mjs', 'notAFunction', 'exports no "notAFunction"'],
  ])('fails each event of %s, and says why', async (_, file, exportName, reason) => {
    const pool = open({ file: join(dir, file), exportName });
    const answers = await Promise.all([pool.invoke({}), pool.invoke({})]);
    expect(answers).toMatchObject([{ ok: false }, { ok: false }]);
    expect(said.join('\n')).toContain(reason);
  });

  it('refuses events once it is stopped', async () => {
    const pool = open();
    const hanging = pool.invoke({ do: 'hang' });
    await pool.stop();
    expect([await hanging, await pool.invoke({})]).toMatchObject([{ ok: false }, { ok: false }]);
    expect(pool.processIds).toEqual([]);
  });
});
