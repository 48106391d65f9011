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

/** Whether nothing happens before a person says so. */
export function isWaiting({ state }: Pick<AlertFile, 'state'>): boolean {
  return state === 'needs_approval' || state === 'ready' || state === 'paused';
}

/** Whether a file has waited for a person for so long that it must be ended. */
export function hasWaitedTooLong(file: AlertFile, nowMs: number): boolean {
  return isWaiting(file) && nowMs - (file.readyAtMs ?? nowMs) > WAITING_MS_MAX;
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
 * Undefined before anybody was reached, where there is no limit.
 */
export function etaMs(
  file: AlertFile,
  endpointPerSecond: number | undefined,
  nowMs: number,
): number | undefined {
  const { alerts, pending, readyAtMs = nowMs } = file;
  const perSecond = slowerOf(endpointPerSecond, file.ratePerSecond);
  if (perSecond !== undefined) return nowMs + Math.ceil(pending * intervalMs(perSecond));
  const done = alerts - pending;
  return done > 0 ? nowMs + Math.ceil((pending * (nowMs - readyAtMs)) / done) : undefined;
}
