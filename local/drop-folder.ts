import { openAsBlob } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './failure.ts';
import type { LocalLog } from './log.ts';

/** A file that has not grown or changed for this long is complete. */
const LOOK_MS = 1_000;
/** `<tenant>/<endpoint>/`. */
const FOLDERS_ABOVE = 2;

export interface DropFolderOptions {
  /** Has `<tenant>/<endpoint>/<file>`, like `drop/` in the bucket. */
  readonly dir: string;
  /** Of the local S3. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly log: LocalLog;
}

/**
 * Takes what is put into a folder on disk to `drop/` in the bucket, once it is complete, and
 * removes it from the folder: the bucket has it then. What lies too high stays, and is told of.
 * Names that begin with a dot are left alone, as links are.
 * Answers how to stop.
 */
export function watchDropFolder(options: DropFolderOptions): () => Promise<void> {
  const ending = new AbortController();
  const watching = watch(options, ending.signal);
  return async () => {
    ending.abort();
    await watching;
  };
}

async function watch(options: DropFolderOptions, signal: AbortSignal): Promise<void> {
  const { dir, log } = options;
  let before = new Map<string, string>();
  const refused = new Map<string, string>();
  while (!signal.aborted) {
    try {
      await mkdir(dir, { recursive: true });
      const { files: now, unread } = await look(dir);
      for (const [path, state] of now) {
        if (before.get(path) !== state) continue;
        const step = isTooHigh(path, dir) ? refuseStray : () => take({ path, state }, options);
        await tryTo(step, { path, refused }, options);
      }
      for (const path of unread) await tryTo(openFolder, { path, refused }, options);
      forgetGone(refused, [...now.keys(), ...unread]);
      before = now;
    } catch (error) {
      log.line('drop', messageOf(error));
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

interface Try {
  readonly path: string;
  /** Why it failed last, by its path. */
  readonly refused: Map<string, string>;
}

/** Why something is refused is said once, and holds up none of the others. */
async function tryTo(
  step: (path: string, options: DropFolderOptions) => Promise<void>,
  { path, refused }: Try,
  options: DropFolderOptions,
): Promise<void> {
  try {
    await step(path, options);
    refused.delete(path);
  } catch (error) {
    const reason = messageOf(error);
    if (refused.get(path) !== reason) options.log.line('drop', reason);
    refused.set(path, reason);
  }
}

/** What comes under their names later is told of anew. */
function forgetGone(refused: Map<string, string>, there: readonly string[]): void {
  const kept = new Set(there);
  for (const path of refused.keys()) if (!kept.has(path)) refused.delete(path);
}

interface Look {
  /** What tells each file from another one under its name. */
  readonly files: Map<string, string>;
  /** Folders that could not be read. */
  readonly unread: string[];
}

async function look(dir: string): Promise<Look> {
  const files = new Map<string, string>();
  const unread: string[] = [];
  const left = [dir];
  for (const folder of left) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(
      () => void unread.push(folder),
    );
    for (const entry of (entries ?? []).filter(({ name }) => !name.startsWith('.'))) {
      const inner = join(folder, entry.name);
      if (entry.isDirectory()) left.push(inner);
      if (entry.isFile()) await note(inner, files);
    }
  }
  return { files, unread };
}

/** Whoever put the file there may have taken it away since. */
async function note(path: string, files: Map<string, string>): Promise<void> {
  const state = await stateOf(path).catch(() => undefined);
  if (state !== undefined) files.set(path, state);
}

/** Another text when the file has grown or changed, or another one has come in its place. */
async function stateOf(path: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(path);
  return `${size} ${mtimeMs} ${ino}`;
}

/** Throws with the reason for which a folder cannot be read. */
async function openFolder(path: string): Promise<void> {
  await readdir(path);
}

function isTooHigh(path: string, dir: string): boolean {
  return relative(dir, path).split(sep).length <= FOLDERS_ABOVE;
}

/** Throws with the reason for which a file stays where it is. */
async function refuseStray(path: string): Promise<never> {
  throw new Error(
    `${path}: lies in no folder <tenant>/<endpoint>/ and is not taken (drop.no-endpoint)`,
  );
}

interface Complete {
  readonly path: string;
  readonly state: string;
}

/** What has come under its name in the meantime stays, for the next look. */
async function take(
  { path, state }: Complete,
  { dir, endpoint, bucket, log }: DropFolderOptions,
): Promise<void> {
  const key = ['drop', ...relative(dir, path).split(sep)].map(encodeURIComponent).join('/');
  try {
    const body = await openAsBlob(path);
    const answer = await fetch(`${endpoint}/${bucket}/${key}`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(`the bucket answered ${answer.status}`);
    if ((await stateOf(path)) === state) await rm(path);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
  log.line('drop', `took ${path}`);
}
