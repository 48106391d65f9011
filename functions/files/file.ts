import assert from 'node:assert/strict';
import { HOUR_MS, MINUTE_MS } from '../shared/units.ts';
import type { FileError } from './file-fault.ts';
import type { FileTerms } from './file-terms.ts';
import type { RowCounts } from './user-rows.ts';

/** A list of users, each of whom gets one alert at the file's endpoint. */
export interface AlertFile extends FileTerms, RowCounts, Outcomes {
  readonly id: `fil_${string}`;
  readonly tenantId: string;
  readonly state: FileState;
  readonly reason?: FileReason | undefined;
  readonly name: string;
  /** The announced size of the upload. */
  readonly bytes: number;
  readonly endpointId: `end_${string}`;
  readonly createdAtMs: number;
  /** The time that the ids of its alerts tell; absent: they tell none. */
  readonly alertsAtMs?: number | undefined;
  /** Of the request that made it, when that had an Idempotency-Key. */
  readonly fingerprint?: string | undefined;
  /** Of the request that made it: its events and alerts carry it on. */
  readonly traceparent?: string | undefined;
  /** How many webhooks in a row led to it: its events and alerts count on. */
  readonly hops?: number | undefined;
  /** Another one after every change but those of the counts. */
  readonly version: number;
  /** When somebody must look at it again. Undefined in a final state only. */
  readonly dueMs?: number | undefined;
  /** How often a parser has begun; also the folder of what the last one made. */
  readonly readings: number;
  /** Until when its parser may still be alive. */
  readonly leaseMs?: number | undefined;
  /** The version of the uploaded object that is read, where the bucket tells one. */
  readonly objectVersion?: string | undefined;
  /** Users of whom nobody knows a final outcome yet. */
  readonly pending: number;
  readonly blocks: number;
  /** How many of its blocks are under way at a time: a finished one sends the next but this. */
  readonly window: number;
  /** All blocks below this are finished. */
  readonly floor: number;
  /** When it was read to its end: what that made of it is kept for 32 days. */
  readonly readAtMs?: number | undefined;
  /** When its alerts were made: their timestamp on the wire. */
  readonly readyAtMs?: number | undefined;
  readonly completedAtMs?: number | undefined;
  readonly error?: FileError | undefined;
  /** A cancelled file whose unsent users are counted: its blocks are closed. */
  readonly closed?: true | undefined;
  /** The block from which on failed and uncertain users are still to be sent again. */
  readonly resendFrom?: number | undefined;
  /** How often a person has had it sent again. */
  readonly retries?: number | undefined;
  /** How many readings there were when a person last wanted another one. */
  readonly readingsBefore?: number | undefined;
  /** Of the bytes that were read. */
  readonly contentHash?: string | undefined;
  /** Where it lies in the bucket, if it was dropped there and not uploaded by a form. */
  readonly objectKey?: string | undefined;
}

/** Every state; `needs_approval`, `ready` and `paused` wait for a person, the last four end it. */
export const FILE_STATES = [
  'awaiting_upload',
  'parsing',
  'needs_approval',
  'ready',
  'delivering',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'expired',
] as const;

export type FileState = (typeof FILE_STATES)[number];

/** Why a file waits for a person or was ended, where it was not a person who did it. */
export const FILE_REASONS = [
  'too_many_malformed',
  'same_content',
  'endpoint_disabled',
  'endpoint_deleted',
  'too_old',
] as const;

export type FileReason = (typeof FILE_REASONS)[number];

/** Final outcomes, counted in users. */
export interface Outcomes {
  readonly delivered: number;
  readonly failed: number;
  readonly uncertain: number;
  readonly cancelled: number;
}

/** Nobody's. */
export const NO_OUTCOMES: Outcomes = { delivered: 0, failed: 0, uncertain: 0, cancelled: 0 };

/** How long the form of an upload is good for. */
export const UPLOAD_MS = 30 * MINUTE_MS;
/**
 * How long an upload may take. S3 checks a form when an upload begins, so that one which began in
 * time ends long after the form: 5 GiB take six hours at 2 Mbit/s.
 */
export const UPLOAD_LATE_MS = 6 * HOUR_MS;
/** A parser renews its lease long before it ends; a dead one is found when it does. */
export const READING_LEASE_MS = MINUTE_MS;
/** A file over which so many parsers have died is given up. */
export const READINGS_MAX = 5;
/** In case that the event of an upload, or the message of a block, got lost. */
export const UPLOAD_LOOK_MS = 2 * MINUTE_MS;
export const BLOCKS_LOOK_MS = MINUTE_MS;
/** A file that waits for a person is looked at only so that it is not forgotten. */
export const WAITING_LOOK_MS = 6 * HOUR_MS;

/** Blocks of an endpoint without a limit that are under way at a time. */
const WINDOW_UNLIMITED = 8;
const WINDOW_MAX = 32;

export type FileDraft = FileTerms &
  Pick<
    AlertFile,
    | 'id'
    | 'tenantId'
    | 'name'
    | 'bytes'
    | 'endpointId'
    | 'fingerprint'
    | 'traceparent'
    | 'hops'
    | 'objectKey'
    | 'objectVersion'
  >;

/** A file that waits for its upload. */
export function newFile(draft: FileDraft, nowMs: number): AlertFile {
  return {
    ...draft,
    ...NO_OUTCOMES,
    state: 'awaiting_upload',
    createdAtMs: nowMs,
    alertsAtMs: nowMs,
    version: 1,
    dueMs: nowMs + UPLOAD_LOOK_MS,
    readings: 0,
    rows: 0,
    alerts: 0,
    duplicates: 0,
    malformed: 0,
    pending: 0,
    blocks: 0,
    window: 0,
    floor: 0,
  };
}

/** Whether a parser may begin: the file waits for one, or the last one has died. */
export function mayRead({ state, leaseMs = 0 }: AlertFile, nowMs: number): boolean {
  return state === 'awaiting_upload' || (state === 'parsing' && leaseMs < nowMs);
}

/** The file in the hands of a parser. */
export function claimReading(
  file: AlertFile,
  objectVersion: string | undefined,
  nowMs: number,
): AlertFile {
  assert(mayRead(file, nowMs), 'only one parser at a time');
  const readings = file.readings + 1;
  return renewReading({ ...file, state: 'parsing', readings, objectVersion }, nowMs);
}

/** The file with a lease that begins anew. */
export function renewReading(file: AlertFile, nowMs: number): AlertFile {
  const leaseMs = nowMs + READING_LEASE_MS;
  return { ...file, version: file.version + 1, leaseMs, dueMs: leaseMs };
}

/** What a reading came to. */
export interface ReadingResult {
  readonly counts: RowCounts;
  readonly blocks: number;
  /** Webhooks a second of the endpoint; undefined is without a limit. */
  readonly perSecond: number | undefined;
  /** The same bytes went to this endpoint within a day. */
  readonly isRepeat?: boolean;
}

/** The file with all its users known: on its way, waiting for a person, or at its end. */
export function finishReading(file: AlertFile, result: ReadingResult, nowMs: number): AlertFile {
  const { counts, blocks, perSecond } = result;
  const doubt = doubtOf(file, result);
  const state = file.release === 'manual' ? 'ready' : 'delivering';
  const next: AlertFile = {
    ...file,
    ...counts,
    state: doubt ? 'needs_approval' : state,
    reason: doubt,
    version: file.version + 1,
    leaseMs: undefined,
    dueMs: nowMs + (doubt || state === 'ready' ? WAITING_LOOK_MS : BLOCKS_LOOK_MS),
    pending: counts.alerts,
    blocks,
    window: windowFor(slowerOf(perSecond, file.ratePerSecond)),
    readAtMs: nowMs,
    readyAtMs: nowMs,
  };
  return counts.alerts === 0 && doubt !== 'too_many_malformed' ? complete(next, nowMs) : next;
}

/** Why a person has to approve the file, if one has to. */
function doubtOf(file: AlertFile, { counts, isRepeat }: ReadingResult): FileReason | undefined {
  const { malformed, rows } = counts;
  const isAsking = file.onMalformed === 'ask';
  // A quotient is the nearest number to what it is, as a share in decimals is: these two are equal
  // where the true ones are. A product may be off by its last digit: 0.29 of 100 is less than 29.
  if (isAsking && malformed / rows > file.maxMalformedShare) return 'too_many_malformed';
  return isRepeat && !file.allowRepeat ? 'same_content' : undefined;
}

/** The smaller of two limits; undefined is without one. */
export function slowerOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

/** As many blocks as the endpoint empties in a minute. */
function windowFor(perSecond: number | undefined): number {
  if (perSecond === undefined) return WINDOW_UNLIMITED;
  return Math.min(WINDOW_MAX, Math.max(1, Math.ceil((perSecond * 60) / 1_000)));
}

/** The file that cannot be read. Nothing of it was sent. */
export function failFile(file: AlertFile, error: FileError): AlertFile {
  return { ...file, ...END, version: file.version + 1, state: 'failed', error };
}

/** The file whose upload never came. */
export function expireFile(file: AlertFile): AlertFile {
  return { ...file, ...END, version: file.version + 1, state: 'expired' };
}

const END = { leaseMs: undefined, dueMs: undefined };

/** The file at its end: every alert has its outcome. */
export function complete(file: AlertFile, nowMs: number): AlertFile {
  return { ...file, ...END, state: 'completed', reason: undefined, completedAtMs: nowMs };
}

/** The file with outcomes that are known but not yet counted, for those who look at it. */
export function withProgress(file: AlertFile, change: Outcomes): AlertFile {
  return {
    ...file,
    delivered: file.delivered + change.delivered,
    failed: file.failed + change.failed,
    uncertain: file.uncertain + change.uncertain,
    cancelled: file.cancelled + change.cancelled,
    pending: file.pending - sumOf(change),
  };
}

/**
 * The file after some of its users came to a final outcome. The last one completes it, also while
 * it is paused; a cancelled one that is closed needs no further look.
 */
export function withOutcomes(file: AlertFile, change: Outcomes, nowMs: number): AlertFile {
  const next = withProgress(file, change);
  assert(next.pending >= 0, 'more outcomes than users');
  if (next.pending > 0 || file.resendFrom !== undefined) return next;
  if (file.state === 'delivering' || file.state === 'paused') return complete(next, nowMs);
  return file.closed ? { ...next, ...END } : next;
}

/** How many users a change takes from the pending ones. */
export function sumOf({ delivered, failed, uncertain, cancelled }: Outcomes): number {
  return delivered + failed + uncertain + cancelled;
}
