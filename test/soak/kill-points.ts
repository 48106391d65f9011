import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { INDEX_ENTRY_BYTES } from '../../functions/files/segments.ts';
import { callOf, dieIfOrdered, KILL_VARIABLES } from './dying.ts';

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

/** Loaded into a function before its own code. It only looks on, until an order tells it to die. */
function watch(folder: string, entry: string): void {
  const mine = new Set<string>(KILL_STEPS[entry as keyof typeof KILL_STEPS]);
  const state = new Watch();
  const onMoment = (isAnswered: boolean) => (message: unknown) => {
    const { request } = message as { request: ClientRequest };
    const start = Number(/\d+/.exec(String(request.getHeader('range')))?.[0]);
    const steps = state.take({ isAnswered, call: callOf(request), start });
    // What is written before it has to do with a file is no step of one: its counts.
    if (state.fileId === '') return;
    for (const step of steps.filter((it) => mine.has(it))) {
      dieIfOrdered(folder, step, { fileId: state.fileId, block: state.block });
    }
  };
  subscribe('http.client.request.created', onMoment(false));
  subscribe('http.client.response.finish', onMoment(true));
}

const { [KILL_VARIABLES.folder]: folder, [KILL_VARIABLES.entry]: entry } = process.env;
if (folder && entry) watch(folder, entry);
