import { DAY_MS, HOUR_MS, MINUTE_MS } from '../shared/units.ts';
import { intervalMs } from '../webhooks/pace.ts';
import {
  type AlertFile,
  BLOCKS_LOOK_MS,
  slowerOf,
  UPLOAD_LATE_MS,
  UPLOAD_LOOK_MS,
  UPLOAD_MS,
  WAITING_LOOK_MS,
} from './file.ts';

const LATE_UPLOAD_LOOK_MS = 20 * MINUTE_MS;
const RETRIES_LOOK_MS_MAX = 6 * HOUR_MS;
/** What the parser made of a file lives for 32 days; whoever waits for longer waits in vain. */
const WAITING_MS_MAX = 28 * DAY_MS;
/** The record of a first alert after this would end before it could be retried. */
const SENDING_MS_MAX = 29 * DAY_MS;
const RESULTS_MS_MAX = 30 * DAY_MS;
/** Records of alerts end a day before this, and what they send a day after it. */
const RECORDS_MS_MAX = 31 * DAY_MS;

/** Whether nothing happens before a person says so. */
export function isWaiting({ state }: Pick<AlertFile, 'state'>): boolean {
  return state === 'needs_approval' || state === 'ready' || state === 'paused';
}

/** Whether a file waits, or is still sent, so long after it was read that it must be ended. */
export function isTooOld(file: AlertFile, nowMs: number): boolean {
  if (isWaiting(file)) return ageMs(file, nowMs) > WAITING_MS_MAX;
  const isSent = file.state !== 'delivering' || file.floor === file.blocks;
  return !isSent && ageMs(file, nowMs) > SENDING_MS_MAX;
}

/** Whether there is still time to send it again to those whom it failed to reach. */
export function isRetryKept(file: AlertFile, nowMs: number): boolean {
  return ageMs(file, nowMs) <= WAITING_MS_MAX;
}

/** Whether it can still be told how each user fared. */
export function areResultsKept(file: AlertFile, nowMs: number): boolean {
  return ageMs(file, nowMs) <= RESULTS_MS_MAX;
}

/** Whether there may still be records of deliveries that tell how its alerts ended. */
export function areRecordsKept(file: AlertFile, nowMs: number): boolean {
  return ageMs(file, nowMs) <= RECORDS_MS_MAX;
}

function ageMs(file: AlertFile, nowMs: number): number {
  return nowMs - (readingMs(file) ?? nowMs);
}

/** When it was read to its end. Undefined before. */
export function readingMs({ readAtMs, readyAtMs }: AlertFile): number | undefined {
  return readAtMs ?? readyAtMs;
}

/** When the form of the upload ends. */
export function uploadEndsMs({ createdAtMs }: AlertFile): number {
  return createdAtMs + UPLOAD_MS;
}

/** From when on nobody waits for the upload any more. */
export function waitEndsMs(file: AlertFile): number {
  return uploadEndsMs(file) + UPLOAD_LATE_MS;
}

/** When the file must be looked at again, if nothing happens until then. */
export function nextLookMs(file: AlertFile, nowMs: number): number {
  if (file.state === 'awaiting_upload') return nextUploadLookMs(file, nowMs);
  if (isWaiting(file)) return nowMs + WAITING_LOOK_MS;
  const isClosing = file.state === 'cancelled' && !file.closed;
  if (file.state === 'parsing' || isClosing) return nowMs + BLOCKS_LOOK_MS;
  if (file.floor < file.blocks && file.state === 'delivering') return nowMs + BLOCKS_LOOK_MS;
  if (file.resendFrom !== undefined && file.state === 'delivering') return nowMs + BLOCKS_LOOK_MS;
  // Only retries are left, for up to four days: the older they are, the less happens.
  const ageMs = nowMs - (file.readyAtMs ?? nowMs);
  return nowMs + Math.min(RETRIES_LOOK_MS_MAX, Math.max(BLOCKS_LOOK_MS, Math.floor(ageMs / 4)));
}

function nextUploadLookMs(file: AlertFile, nowMs: number): number {
  const endsMs = waitEndsMs(file);
  // The upload came at the last moment, and its reading has not begun.
  if (nowMs >= endsMs) return nowMs + UPLOAD_LOOK_MS;
  const lookMs = nowMs < uploadEndsMs(file) ? UPLOAD_LOOK_MS : LATE_UPLOAD_LOOK_MS;
  return Math.min(nowMs + lookMs, endsMs);
}

/**
 * When the last first alert goes out: by the limit that holds, or else as fast as up to now.
 * Undefined before anybody was reached, where there is no limit, and when only retries are left.
 * Until then it comes out too late by as many as are being retried, who are pending as well.
 */
export function etaMs(
  file: AlertFile,
  endpointPerSecond: number | undefined,
  nowMs: number,
): number | undefined {
  const { alerts, pending, readyAtMs = nowMs } = file;
  if (file.floor === file.blocks) return undefined;
  const perSecond = slowerOf(endpointPerSecond, file.ratePerSecond);
  if (perSecond !== undefined) return nowMs + Math.ceil(pending * intervalMs(perSecond));
  const done = alerts - pending;
  return done > 0 ? nowMs + Math.ceil((pending * (nowMs - readyAtMs)) / done) : undefined;
}
