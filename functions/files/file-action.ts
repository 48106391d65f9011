import { Problem } from '../shared/problem.ts';
import type { Db, Write } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import {
  type AlertFile,
  complete,
  type FileReason,
  type FileState,
  READING_LEASE_MS,
  WAITING_LOOK_MS,
} from './file.ts';
import { isRetryKept } from './file-looks.ts';
import type { FileEventType } from './file-view.ts';

/** A file in its next state, what is told of it, and what else belongs in the same commit. */
export interface FileStep {
  readonly file: AlertFile;
  readonly tells?: FileEventType;
  readonly besides?: (db: Db) => Promise<readonly Write[]>;
}

/**
 * What becomes of a file that somebody pauses, resumes and so on. Undefined: it is so already.
 * Throws `Problem('conflict')` where its state does not allow it.
 */
export type FileAction = (file: AlertFile, nowMs: number) => FileStep | undefined;

/** No batch begins any more. What is being retried by itself goes on. */
export function pauseFile(
  file: AlertFile,
  nowMs: number,
  reason?: FileReason,
): FileStep | undefined {
  if (file.state === 'paused') return undefined;
  if (file.state !== 'delivering') throw wrongState(file, 'paused', ['delivering']);
  const dueMs = nowMs + WAITING_LOOK_MS;
  return { file: next(file, { state: 'paused', reason, dueMs }), tells: 'file.paused' };
}

/** Goes on where it was paused. */
export function resumeFile(file: AlertFile, nowMs: number): FileStep | undefined {
  if (file.state === 'delivering') return undefined;
  if (file.state !== 'paused') throw wrongState(file, 'resumed', ['paused']);
  return { file: begin(file, nowMs), tells: 'file.resumed' };
}

/** Lets the alerts begin of a file that waits for a person's word. */
export function releaseFile(file: AlertFile, nowMs: number): FileStep | undefined {
  if (file.state === 'delivering') return undefined;
  if (file.state !== 'ready' && file.state !== 'needs_approval') {
    throw wrongState(file, 'released', ['ready', 'needs_approval']);
  }
  const released = { ...begin(file, nowMs), readyAtMs: nowMs };
  if (file.alerts === 0) return { file: complete(released, nowMs), tells: 'file.completed' };
  return { file: released, tells: 'file.released' };
}

/**
 * Ends the file: nobody gets a first alert any more. Where alerts are under way it is closed, and
 * told of, only when its workers have stopped.
 */
export function cancelFile(
  file: AlertFile,
  nowMs: number,
  reason?: FileReason,
): FileStep | undefined {
  const { state, alerts } = file;
  if (state === 'cancelled') return undefined;
  if (state === 'delivering' || state === 'paused') {
    return {
      file: next(file, { state: 'cancelled', reason, dueMs: nowMs, resendFrom: undefined }),
    };
  }
  if (state === 'completed' || state === 'failed' || state === 'expired') {
    throw wrongState(file, 'cancelled', ['any state before its end']);
  }
  const end = { dueMs: undefined, leaseMs: undefined, closed: true } as const;
  const counts = { cancelled: alerts, pending: 0 };
  return {
    file: next(file, { state: 'cancelled', reason, ...end, ...counts }),
    tells: 'file.cancelled',
  };
}

/**
 * Reads a file again that could not be read, or sends it again to those whom it failed to reach or
 * of whom nobody knows. `unsure` counts these also in blocks that are being sent, whom a retry does
 * not reach. Throws `Problem('not_retryable')` where there is nothing of either.
 */
export function retryFile(file: AlertFile, nowMs: number, unsure = file.uncertain): FileStep {
  const { state, failed, uncertain, readings } = file;
  if (state === 'failed') {
    if (readings === 0) throw wrongDrop(file);
    const again = { state: 'parsing', error: undefined, leaseMs: undefined } as const;
    const dueMs = nowMs + READING_LEASE_MS;
    return { file: next(file, { ...again, dueMs, readingsBefore: readings }) };
  }
  if (state !== 'completed' && state !== 'delivering') {
    const from = 'delivering, completed or failed';
    throw new Problem('not_retryable', {
      detail: `The file is ${state}; a retry is for ${from} ones.`,
    });
  }
  if (file.resendFrom !== undefined) {
    throw new Problem('not_retryable', { detail: 'A retry of this file is under way.' });
  }
  if (failed + uncertain === 0) throw nobodyToRetry(unsure);
  if (!isRetryKept(file, nowMs)) {
    const detail = 'The file was read more than 28 days ago: its alerts are not kept longer.';
    throw new Problem('not_retryable', { detail });
  }
  const again = { state: 'delivering', completedAtMs: undefined, resendFrom: 0 } as const;
  const retries = (file.retries ?? 0) + 1;
  return { file: next(file, { ...again, retries, dueMs: nowMs }), tells: 'file.resumed' };
}

function nobodyToRetry(unsure: number): Problem {
  const later = 'is in a block that is still being sent: ask again when that has ended.';
  const nobody = 'Nobody of this file has failed or is uncertain.';
  const detail = unsure > 0 ? `Who is uncertain (${unsure}) ${later}` : nobody;
  return new Problem('not_retryable', { detail });
}

/** Where it is there, and read nevertheless, it would go out as nobody has said. */
function wrongDrop({ error }: AlertFile): Problem {
  const gone = 'The object is gone: drop it anew.';
  const wrong = 'The folder or the metadata of the object do not fit: drop it anew, corrected.';
  const detail = error?.code === 'not_found' ? gone : wrong;
  return new Problem('not_retryable', { detail });
}

/** Throws `Problem('not_retryable')` for an endpoint that takes nothing. */
export function assertReachable(endpoint: Pick<Endpoint, 'status'> | undefined): void {
  if (endpoint?.status === 'active') return;
  throw new Problem('not_retryable', { detail: 'The endpoint of the file is not active.' });
}

/** Due at once, so that the blocks which nobody has are found and sent. */
function begin(file: AlertFile, nowMs: number): AlertFile {
  return next(file, { state: 'delivering', reason: undefined, dueMs: nowMs });
}

function next(file: AlertFile, change: Partial<AlertFile> & { state: FileState }): AlertFile {
  return { ...file, ...change, version: file.version + 1 };
}

function wrongState({ state }: AlertFile, done: string, from: readonly string[]): Problem {
  return new Problem('conflict', {
    detail: `The file is ${state}; it can be ${done} from ${from.join(' or ')}.`,
  });
}
