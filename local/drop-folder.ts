import { type Dirent, openAsBlob } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './failure.ts';
import type { LocalLog } from './log.ts';

/** A file that has not grown or changed for this long is complete. */
const LOOK_MS = 1_000;

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
 * removes it from the folder: the bucket has it then. Names that begin with a dot are left alone.
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
      const now = await look(dir);
      for (const [path, state] of now) {
        if (before.get(path) === state) await tryToTake(path, refused, options);
      }
      before = now;
    } catch (error) {
      log.line('drop', messageOf(error));
    }
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** What a file is refused for is said once, and holds up none of the others. */
async function tryToTake(
  path: string,
  refused: Map<string, string>,
  options: DropFolderOptions,
): Promise<void> {
  try {
    await take(path, options);
    refused.delete(path);
  } catch (error) {
    const reason = messageOf(error);
    if (refused.get(path) !== reason) options.log.line('drop', reason);
    refused.set(path, reason);
  }
}

/** Size and time of each file that lies deep enough. */
async function look(dir: string): Promise<Map<string, string>> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = found.filter((it) => isDrop(dir, it)).map((it) => join(it.parentPath, it.name));
  const states = await Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return [path, `${size} ${mtimeMs}`] as const;
    }),
  );
  return new Map(states);
}

function isDrop(dir: string, entry: Dirent): boolean {
  const parts = relative(dir, join(entry.parentPath, entry.name)).split(sep);
  return entry.isFile() && parts.length >= 3 && !parts.some((it) => it.startsWith('.'));
}

async function take(path: string, { dir, endpoint, bucket, log }: DropFolderOptions) {
  const key = ['drop', ...relative(dir, path).split(sep)].map(encodeURIComponent).join('/');
  try {
    const body = await openAsBlob(path);
    const answer = await fetch(`${endpoint}/${bucket}/${key}`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(`the bucket answered ${answer.status}`);
    await rm(path);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
  log.line('drop', `took ${path}`);
}
