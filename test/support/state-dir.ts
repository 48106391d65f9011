import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';

/**
 * A new folder for the state of a local cloud. In memory where there is such a file system: the
 * engine waits for the disk at each commit, and a test survives kills, not power cuts.
 */
export function newStateDir(name: string): Promise<string> {
  return mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), `tallyhook-${name}-`));
}
