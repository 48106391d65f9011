import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../local/http/free-port.ts';
import { until } from '../support/until.ts';
import { installTool } from './python-tool.ts';

const VERSION = '1.5.33';
const BIN = join(import.meta.dirname, '../../node_modules/.bin');
/** What the emulator needs after TERM; its workers are ended with it. */
const PATIENCE_MS = 3_000;

/** A running emulator of AWS, made by others than us. */
export interface MiniStack {
  readonly url: string;
  readonly region: string;
  /** A folder of its own, which goes with it. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Installs the emulator once, into a Python environment of its own, and starts it. */
export async function startMiniStack(): Promise<MiniStack> {
  const program = installTool('ministack', VERSION);
  // Outside of any package: its Lambdas run CommonJS wrappers from there.
  const folder = mkdtempSync(join(tmpdir(), 'tallyhook-cloud-'));
  const port = await freePort(0);
  // That of every client in the tests.
  const region = 'us-east-1';
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, {
    cwd: folder,
    // A group of its own, so that its workers can be ended with it.
    detached: true,
    stdio: 'ignore',
    // Nothing else: its Lambdas inherit all of the environment.
    env: {
      PATH: `${BIN}:/usr/bin:/bin`,
      HOME: folder,
      TMPDIR: folder,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      MINISTACK_HOST: '127.0.0.1',
      MINISTACK_REGION: region,
    },
  });
  const stop = () => end(child, folder);
  await until(
    () =>
      fetch(`${url}/_ministack/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    (isReady) => isReady || child.exitCode !== null,
  );
  if (child.exitCode !== null) throw new Error('the emulator did not start');
  return { url, region, folder, stop };
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  const ended = child.exitCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGTERM');
  const late = setTimeout(() => killGroup(child), PATIENCE_MS);
  await ended;
  clearTimeout(late);
  // Its workers may outlive it.
  killGroup(child);
  rmSync(folder, { recursive: true, force: true });
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
