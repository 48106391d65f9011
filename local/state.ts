import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasCode, LocalFailure, messageOf } from './failure.ts';

/**
 * Everything that the local cloud remembers, under one folder:
 *
 * ```
 * lock             held by the running local cloud; the system lets it go when that ends
 * dynamodb.db      the tables (dynoxide)      dynamodb.pid   the process that has them open
 * sqs.db           the queues
 * s3.db  s3/       the objects: what there is, and the bytes of each version
 * secrets.json     the values of the secrets, readable by their owner only
 * streams.json     how far each stream was read
 * log/             what functions and parts wrote
 * ```
 */
export interface State {
  readonly dir: string;
  path(name: string): string;
  /** Lets another local cloud have the folder. */
  release(): void;
}

/** What `fresh` removes. The folder itself may be the user's own, and stays. */
const CONTENTS = [
  'dynamodb.db',
  'dynamodb.db-shm',
  'dynamodb.db-wal',
  'sqs.db',
  'sqs.db-shm',
  'sqs.db-wal',
  's3.db',
  's3.db-shm',
  's3.db-wal',
  's3',
  'secrets.json',
  'streams.json',
  'log',
];

/** Takes the folder for this process, or refuses in one line when another one has it. */
export function openState(dir: string, fresh: boolean): State {
  const lock = takeLock(dir);
  const path = (name: string) => join(dir, name);
  if (fresh) for (const name of CONTENTS) rmSync(path(name), { recursive: true, force: true });
  return { dir, path, release: () => lock.close() };
}

/**
 * An SQLite transaction that is never committed: the system ends its lock with the process, so
 * that nothing is left to clean up after `kill -9`, and no process id can be mistaken for ours.
 */
function takeLock(dir: string): DatabaseSync {
  try {
    mkdirSync(dir, { recursive: true });
    const lock = new DatabaseSync(join(dir, 'lock'));
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    if (messageOf(error).includes('locked')) {
      throw new LocalFailure(`${dir} is in use by another local cloud: stop it, or take --state`);
    }
    throw new LocalFailure(`${dir} cannot be used: ${messageOf(error)}`);
  }
}

/** The content of a JSON file, or undefined when there is none. A torn one is a failure. */
export function readJson<Content>(file: string): Content | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new LocalFailure(`${file} cannot be read (${messageOf(error)}); --fresh starts anew`);
  }
}

/** Replaces the file in one step. `mode` is that of a new file. */
export function writeJson(file: string, content: unknown, mode = 0o644): void {
  const draft = `${file}.new`;
  writeFileSync(draft, JSON.stringify(content, null, 1), { mode });
  renameSync(draft, file);
}
