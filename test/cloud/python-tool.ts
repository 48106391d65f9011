import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../.cache');

/** Installs a tool from PyPI once, into a Python environment of its own. Answers its program. */
export function installTool(name: string, version: string): string {
  const folder = join(CACHE, `${name}-${version}`);
  const program = join(folder, 'bin', name);
  if (existsSync(program)) return program;
  runTool('python3', '-m', 'venv', folder);
  runTool(join(folder, 'bin/pip'), 'install', '--quiet', `${name}==${version}`);
  return program;
}

/** Runs a program to its end, and throws where it fails. */
export function runTool(program: string, ...args: string[]): void {
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}
