import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasCode, LocalFailure, messageOf } from './failure.ts';

/**
 * Everything that the local cloud remembers, under one folder:
 *
 * ```
 * tallyhook.json   says that the folder is ours, and what was made in it
 * lock             held by the running local cloud; the system lets it go when that ends
 * dynamodb.db      the tables (dynoxide)      dynamodb.pid   the process that has them open
 * sqs.db           the queues
 * s3.db  s3/       the objects: what there is, and the bytes of each version
 * secrets.json     the values of the secrets, readable by their owner only
 * streams.json     how far each stream was read
 * log/             what functions and parts wrote
 * drop/            <tenant>/<endpoint>/<file>: taken like drops into the bucket
 * ```
 */
export interface State {
  readonly dir: string;
  path(name: string): string;
  /** Whether an earlier start made the table or secret of this name. It must be there then. */
  wasMade(name: string): boolean;
  /** The state is complete: from now on it must have its files, and what has these names. */
  noteMade(names: readonly string[]): void;
  /** Lets another local cloud have the folder. */
  release(): void;
}

/** Proves that the folder is ours; a name that no other program would choose. */
const MARKER = 'tallyhook.json';

/** What a complete state has: without any one of them the others mean nothing. */
const PARTS = ['dynamodb.db', 'sqs.db', 's3.db', 's3', 'secrets.json'];

/** What `fresh` removes. The folder itself may be the user's own, and stays. */
const CONTENTS = [
  ...PARTS,
  ...['dynamodb.db', 'sqs.db', 's3.db'].flatMap((name) => [`${name}-shm`, `${name}-wal`]),
  'streams.json',
  'log',
];

/** A start that ended before it could leave its marker leaves these behind. */
const LOCK_FILES = ['lock', 'lock-journal'];

interface Made {
  readonly files: readonly string[];
  /** Tables and secrets. */
  readonly names: readonly string[];
}

const NOTHING: Made = { files: [], names: [] };

/**
 * Takes the folder for this process, or refuses in one line: when another one has it, when it
 * holds what is not ours, or when a part of an earlier state is gone. `fresh` empties it first.
 */
export function openState(dir: string, fresh: boolean): State {
  const path = (name: string) => join(dir, name);
  refuseForeign(dir);
  const lock = takeLock(dir);
  try {
    if (fresh || !existsSync(path(MARKER))) writeJson(path(MARKER), NOTHING);
    if (fresh) for (const name of CONTENTS) rmSync(path(name), { recursive: true, force: true });
    const made = readJson<Made>(path(MARKER)) ?? NOTHING;
    refuseIncomplete(dir, made);
    return {
      dir,
      path,
      wasMade: (name) => made.names.includes(name),
      noteMade(names) {
        const files = PARTS.filter((name) => existsSync(path(name)));
        writeJson(path(MARKER), { files, names });
      },
      release: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** A folder with other things in it stays as it is: `fresh` would remove them one day. */
function refuseForeign(dir: string): void {
  const names = namesIn(dir);
  if (names.includes(MARKER) || names.every((name) => LOCK_FILES.includes(name))) return;
  throw new LocalFailure(
    `${dir} holds other things than the state of a local cloud: empty it, or take another --state`,
  );
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw new LocalFailure(`${dir} cannot be used: ${messageOf(error)}`);
  }
}

function refuseIncomplete(dir: string, { files }: Made): void {
  const lost = files.find((name) => {
    const found = statSync(join(dir, name), { throwIfNoEntry: false });
    return !found || (found.isFile() && found.size === 0);
  });
  if (lost === undefined) return;
  throw new LocalFailure(
    `${join(dir, lost)} is lost or empty: put it back, or let --fresh start anew`,
  );
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
