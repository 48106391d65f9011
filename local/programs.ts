import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';

/** Programs that run as processes of their own; they import nothing but Node's modules. */
export type ProgramName = 'bootstrap' | 'keeper';

/**
 * Writes a program without its types into `dir` and answers the file. To take the types away at
 * each start of a process would cost it 60 ms and 17 MB.
 */
export function plainProgram(name: ProgramName, dir: string): string {
  const source = readFileSync(new URL(`./programs/${name}.ts`, import.meta.url), 'utf8');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.mjs`);
  writeFileSync(file, transformSync(source, { loader: 'ts', target: 'node24' }).code);
  return file;
}

export interface KeptProcess {
  readonly child: ChildProcess;
  /** Ends the process and resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a command under the keeper, which ends it when this process ends, however it ends. The
 * process id is written to `pidFile`. In a group of its own, so that Ctrl-C reaches us alone.
 */
export function startKept(
  keeper: string,
  pidFile: string,
  command: readonly string[],
): KeptProcess {
  const child = spawn(process.execPath, [keeper, pidFile, ...command], {
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
