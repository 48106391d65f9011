import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { until } from './until.ts';

/** One of the receivers of `examples/`, and what it takes to run it. */
export interface Language {
  readonly name: string;
  /** Tells whether its runtime is there. Nothing is ever fetched. */
  readonly probe: readonly [string, ...string[]];
  /** Makes what has to be made in `dir`, and answers how to start it. */
  prepare(dir: string): Promise<readonly [string, ...string[]]>;
}

/** Go may neither fetch another version of itself nor a module. */
const OFFLINE_GO = { GOTOOLCHAIN: 'local', GOPROXY: 'off', GOFLAGS: '' };

export const LANGUAGES: readonly Language[] = [
  {
    name: 'Node',
    probe: ['node', '--version'],
    prepare: async () => ['node', 'examples/node/receiver.mjs'],
  },
  {
    name: 'Python',
    probe: ['python3', '--version'],
    prepare: async () => ['python3', '-B', 'examples/python/receiver.py'],
  },
  {
    name: 'Go',
    probe: ['go', 'version'],
    async prepare(dir) {
      const binary = join(dir, 'receiver');
      // A cold build takes minutes, in which this process has others to answer.
      await promisify(execFile)('go', ['build', '-o', binary, '.'], {
        cwd: 'examples/go',
        env: { ...process.env, ...OFFLINE_GO },
      });
      return [binary];
    },
  },
];

/** What the runtime calls itself; undefined where it is not installed. */
export function versionOf({ probe: [command, ...args] }: Language): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

/** A receiver that runs. */
export interface ExampleReceiver {
  readonly url: string;
  /** The ids of the events that it has worked, in order. */
  readonly worked: readonly string[];
  /** As an operator stops it; resolves to its exit code. */
  stop(): Promise<number | null>;
  /** As a crash ends it. */
  kill(): Promise<void>;
}

/** Starts it on a free port. Refuses, with what it said, when it ends before it is ready. */
export async function startExample(
  [command, ...args]: readonly [string, ...string[]],
  settings: { readonly WEBHOOK_SECRET: string; readonly INBOX: string },
): Promise<ExampleReceiver> {
  const child = spawn(command, args, {
    env: { ...process.env, PORT: '0', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [worked, said]: [string[], string[]] = [[], []];
  createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, id] = /^worked (\S+)/.exec(line) ?? [];
    if (id) worked.push(id);
    else said.push(line);
  });
  // All that it has said is read by then, which it need not be when it has exited.
  const close = once(child, 'close') as Promise<[number | null]>;
  let isOver = false;
  child.once('close', () => {
    isOver = true;
  });
  const address = () => /receiving at (\S+)/.exec(said.join('\n'))?.[1];
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  await until(
    () => ({ pid: child.pid, isReady: isOver || address() !== undefined, said }),
    (it) => it.isReady,
  );
  const url = address();
  if (url === undefined) {
    throw new Error(`${command} ended (${child.exitCode ?? child.signalCode}): ${said.join('\n')}`);
  }
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (!ended()) child.kill(signal);
    const [code] = await close;
    return code;
  };
  return { url, worked, stop: () => end('SIGTERM'), kill: async () => void (await end('SIGKILL')) };
}
