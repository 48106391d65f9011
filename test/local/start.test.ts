import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listenExactly } from '../../local/http/listen.ts';
import { killEngine, killEngineUntilAnother } from '../support/engine-process.ts';

const START = join(import.meta.dirname, '../../local/start.ts');

function run(...flags: string[]): Promise<{ code: unknown; said: string; complained: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [START, ...flags], (error, said, complained) =>
      resolve({ code: error?.code ?? 0, said, complained }),
    );
  });
}

it.each([
  [['--prot', '1'], "Unknown option '--prot'"],
  [['--port', 'x'], '--port must be a whole number from 0 to 65535'],
  [['--port', '65536'], '--port must be a whole number from 0 to 65535'],
  [['--port', '-5'], '--port must be a whole number from 0 to 65535'],
  [['--port', ''], '--port must be a whole number from 0 to 65535'],
  [['--state', ''], '--state must name a folder'],
  [['word'], 'Unexpected argument'],
])('refuses %j and shows its usage', async (flags, message) => {
  const { code, complained } = await run(...flags);
  expect([code, complained.split('\n')[0]]).toEqual([1, expect.stringContaining(message)]);
  expect(complained).toContain('Usage: npm start');
});

it('explains itself', async () => {
  expect(await run('--help')).toMatchObject({ code: 0, said: expect.stringContaining('--fresh') });
});

it('says in one line that the port is busy, and exits with 1', async () => {
  const server = createServer();
  const port = await listenExactly(server, 0);
  const state = mkdtempSync(join(tmpdir(), 'start-test-'));
  const { code, complained } = await run('--port', String(port), '--state', state);
  expect(code).toBe(1);
  expect(complained).toBe(
    `tallyhook: port ${port} is busy: stop what listens there, or take --port\n`,
  );
  server.close();
  rmSync(state, { recursive: true });
});

it('ends with 1 and one line when an engine ends again and again', async () => {
  const state = mkdtempSync(join(tmpdir(), 'start-test-'));
  const child = spawn(process.execPath, [START, '--port', '0', '--state', state]);
  let complained = '';
  child.stderr.on('data', (chunk) => {
    complained += chunk;
  });
  const gone = once(child, 'exit');
  await once(child.stdout, 'data');
  for (let i = 0; i < 3; i += 1) await killEngineUntilAnother(state);
  killEngine(state);
  expect(await gone).toEqual([1, null]);
  expect(complained).toContain('dynamodb: ended by itself (exit code 1) and is started again\n');
  expect(complained).toMatch(/\ntallyhook: dynamodb ended 4 times .* the state stays\n$/);
  rmSync(state, { recursive: true });
});
