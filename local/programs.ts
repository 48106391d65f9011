import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A program that runs as a process of its own. */
export function programFile(name: 'bootstrap' | 'keeper'): string {
  return fileURLToPath(new URL(`./programs/${name}.ts`, import.meta.url));
}

/**
 * Lets Node keep compiled code between processes: without it, taking the types away from a program
 * costs each start of one 60 ms and 17 MB.
 */
export const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '..', '.cache', 'compiled'),
} as const;

export interface KeptProcess {
  readonly child: ChildProcess;
  /** Ends the process and resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a command under the keeper, which ends it when this process ends, however it ends. The
 * process id is written to `pidFile`. In a group of its own, so that Ctrl-C reaches us alone.
 */
export function startKept(pidFile: string, command: readonly string[]): KeptProcess {
  const child = spawn(process.execPath, [programFile('keeper'), pidFile, ...command], {
    env: { ...process.env, ...COMPILE_CACHE },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    child,
    stop() {
      child.stdin.end();
      return gone;
    },
  };
}
