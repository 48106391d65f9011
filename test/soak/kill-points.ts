import { subscribe } from 'node:diagnostics_channel';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import type { ClientRequest } from 'node:http';
import { join } from 'node:path';
import { INDEX_ENTRY_BYTES } from '../../functions/files/segments.ts';

/** Steps of a file at which its worker can be killed, by the function that takes them. */
export const KILL_STEPS = {
  'files/on-upload': ['claimed', 'half-parsed', 'committed', 'released'],
  'files/on-block': ['before-send', 'after-send', 'before-flush', 'after-flush'],
} as const;
export type KillStep = (typeof KILL_STEPS)[keyof typeof KILL_STEPS][number];

/** What a worker leaves behind of its death. */
export interface KillRecord {
  readonly step: KillStep;
  readonly atMs: number;
  /** The file, and in a worker of blocks the block, that it was at work on. */
  readonly fileId: string;
  readonly block: number;
}

/** Names of the variables that a function is told of this by. */
export const KILL_VARIABLES = { folder: 'SOAK_KILL_FOLDER', entry: 'SOAK_KILL_ENTRY' } as const;
/** The first segment of a file that has more than one. */
const FIRST_SEGMENT = /\/work\/fil_\w+\/\d+\/s-000000\.ndjson/;
const FILE_ID = /fil_\w+/;

/** A worker sees its own requests: what is about to go out, and what was answered. */
interface Moment {
  readonly isAnswered: boolean;
  /** `alert`, or the name of the call: `UpdateItem`, `PUT /bucket/key`. */
  readonly call: string;
  /** The first byte that it asks for. */
  readonly start: number;
}

/** Whether each step is reached, by the requests of one process. */
class Watch {
  fileId = '';
  block = 0;
  /** Alerts that were answered since the block was last written. */
  #unwritten = 0;

  /** The steps of this moment. */
  take({ isAnswered, call, start }: Moment): KillStep[] {
    this.fileId = FILE_ID.exec(call)?.[0] ?? this.fileId;
    if (call.includes('/index.ndjson')) this.block = start / INDEX_ENTRY_BYTES;
    if (call === 'alert') {
      if (isAnswered) this.#unwritten += 1;
      return [isAnswered ? 'after-send' : 'before-send'];
    }
    if (isAnswered && /^PUT /.test(call) && FIRST_SEGMENT.test(call)) return ['half-parsed'];
    if (isAnswered && call === 'TransactWriteItems') return ['committed'];
    if (isAnswered && call.startsWith('SendMessage')) return ['released'];
    if (call !== 'UpdateItem') return [];
    if (this.#unwritten === 0) return isAnswered ? ['claimed'] : [];
    if (isAnswered) this.#unwritten = 0;
    return [isAnswered ? 'after-flush' : 'before-flush'];
  }
}

/** The call that a request is; its headers are set when it is made. */
function callOf(request: ClientRequest): string {
  if (request.getHeader('webhook-id') !== undefined) return 'alert';
  const target = request.getHeader('x-amz-target');
  if (typeof target === 'string') return target.split('.').at(-1) ?? '';
  return `${request.method} ${request.path}`;
}

/** Whoever takes an order first dies of it, and nobody else. */
function dieIfOrdered(folder: string, step: KillStep, { fileId, block }: Watch): void {
  const order = join(folder, step);
  if (!existsSync(order)) return;
  try {
    renameSync(order, `${order}.taken`);
  } catch {
    return;
  }
  const record: KillRecord = { step, atMs: Date.now(), fileId, block };
  writeFileSync(`${order}.done.${process.pid}`, JSON.stringify(record));
  process.kill(process.pid, 'SIGKILL');
  // The signal may reach another thread first: nothing more may happen on this one.
  for (;;);
}

/** Loaded into a function before its own code. It only looks on, until an order tells it to die. */
function watch(folder: string, entry: string): void {
  const mine = new Set<string>(KILL_STEPS[entry as keyof typeof KILL_STEPS]);
  const state = new Watch();
  const onMoment = (isAnswered: boolean) => (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const start = Number(/\d+/.exec(String(request.getHeader('range')))?.[0]);
    const steps = state.take({ isAnswered, call: callOf(request), start });
    for (const step of steps.filter((it) => mine.has(it))) {
      dieIfOrdered(folder, step, state);
    }
  };
  subscribe('http.client.request.created', onMoment(false));
  subscribe('http.client.response.finish', onMoment(true));
}

const { [KILL_VARIABLES.folder]: folder, [KILL_VARIABLES.entry]: entry } = process.env;
if (folder && entry) watch(folder, entry);
