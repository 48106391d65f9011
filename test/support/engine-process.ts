import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './until.ts';

/**
 * The process id of the tables' engine. Never 0 or less: as the target of a signal those mean
 * whole groups of processes, this test's own among them.
 */
export function enginePid(stateDir: string): number {
  const text = readFileSync(join(stateDir, 'dynamodb.pid'), 'utf8');
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`not a process id: ${JSON.stringify(text)}`);
  return Number(text);
}

/** Kills the engine of the tables, once. */
export function killEngine(stateDir: string): number {
  const pid = enginePid(stateDir);
  process.kill(pid, 'SIGKILL');
  return pid;
}

/** Kills the engine of the tables, and resolves when another one has taken its place. */
export async function killEngineUntilAnother(stateDir: string): Promise<void> {
  const pid = killEngine(stateDir);
  await until(
    () => enginePid(stateDir),
    (now) => now !== pid,
  );
}
