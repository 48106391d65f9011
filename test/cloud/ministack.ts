import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/until.ts';

const VERSION = '1.5.33';
const VENV = join(import.meta.dirname, `../../.cache/ministack-${VERSION}`);
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
  install();
  // Outside of any package: its Lambdas run CommonJS wrappers from there.
  const folder = mkdtempSync(join(tmpdir(), 'tallyhook-cloud-'));
  const port = await freePort();
  const region = 'eu-west-1';
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(join(VENV, 'bin/ministack'), {
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

function install(): void {
  if (existsSync(join(VENV, 'bin/ministack'))) return;
  run('python3', '-m', 'venv', VENV);
  run(join(VENV, 'bin/pip'), 'install', '--quiet', `ministack==${VERSION}`);
}

function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
