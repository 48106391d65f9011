import { fullJitterMs } from '../shared/backoff.ts';
import { DAY_MS, KIB, SECOND_MS } from '../shared/units.ts';

/** The last two are final. */
export const RECEIPT_STATES = ['pending', 'processing', 'completed', 'failed'] as const;

export type ReceiptState = (typeof RECEIPT_STATES)[number];

/** One attempt to process it. Without an end it is going on, or its worker was lost. */
export interface Try {
  readonly atMs: number;
  readonly endedAtMs?: number | undefined;
  /** Why it failed, if it did. */
  readonly error?: string | undefined;
}

/** A webhook that was taken in: it is processed, whatever happens. */
export interface Receipt {
  readonly id: `rcp_${string}`;
  readonly tenantId: string;
  /** `src_…`, or `api`. */
  readonly sourceId: string;
  readonly status: ReceiptState;
  readonly receivedAtMs: number;
  readonly contentType?: string | undefined;
  /** Those of its headers that are passed on. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the body, in base64url. */
  readonly sha256: string;
  readonly bytes: number;
  /** A short body lies here, a longer one beside it. */
  readonly body?: Uint8Array | undefined;
  /** What makes two requests the same: the body's hash, or that of a request with a key. */
  readonly fingerprint: string;
  /** Where it is counted while it is open; absent where nobody counts. */
  readonly counter?: string | undefined;
  readonly forwardAs: string;
  readonly tries: readonly Try[];
  /** When the next attempt may be made. */
  readonly nextAtMs: number;
  /** Whose attempt is going on; a claim of another one ends it. */
  readonly claim?: string | undefined;
  readonly eventId?: `evt_${string}` | undefined;
  /** The event of the time before: this one is a replay. */
  readonly replayOf?: string | undefined;
  /** Hashes of the Idempotency-Keys under which it was replayed, the latest last. */
  readonly replayKeys: readonly string[];
  readonly endedAtMs?: number | undefined;
  /** How many others came under the same id with another body. */
  readonly conflicts: number;
  readonly traceparent?: string | undefined;
  readonly hops?: number | undefined;
  /** When it ends, in milliseconds; one that is open does not. */
  readonly expiresAtMs?: number | undefined;
}

/** How long a receipt is kept. Its end is looked at when it is read as well. */
export const RETENTION_MS = 30 * DAY_MS;

/** The message may get lost: by then somebody looks at it in any case. */
export const LOOK_AFTER_MS = 30 * SECOND_MS;

/** A body up to this lies within its receipt. */
const INLINE_BYTES_MAX = KIB;

/** Whether a body of this length lies within its receipt. */
export function isInline(bytes: number): boolean {
  return bytes <= INLINE_BYTES_MAX;
}

/** Whether somebody still has work with it. */
export function isOpen({ status }: Pick<Receipt, 'status'>): boolean {
  return status === 'pending' || status === 'processing';
}

/** When a receipt that ends now is forgotten; one that was open for weeks is shown for a day. */
export function expiryMs({ receivedAtMs }: Pick<Receipt, 'receivedAtMs'>, nowMs: number): number {
  return Math.max(receivedAtMs + RETENTION_MS, nowMs + DAY_MS);
}

/** How often and how soon a failed attempt is repeated. */
export interface RetryPlan {
  readonly maxAttempts: number;
  readonly baseSeconds: number;
  readonly maxSeconds: number;
}

/** Others or an outage were in the way: that says nothing of the webhook. */
const HELD_UP: ReadonlySet<string | undefined> = new Set(['busy', 'unavailable']);

/** Whether an attempt was only held up, and does not count as one. */
export function isHeldUp({ error }: Pick<Try, 'error'>): boolean {
  return HELD_UP.has(error);
}

/** How many attempts count. Each but the last of a row that were held up is forgotten. */
export function countAttempts(tries: readonly Try[]): number {
  return tries.filter((it) => !isHeldUp(it)).length;
}

/** The tries with an end of the last one: of some on end that were held up, the last is kept. */
export function endTries(
  tries: readonly Try[],
  end: Pick<Try, 'endedAtMs' | 'error'>,
): readonly Try[] {
  const last = tries.slice(-1).map((it) => ({ ...it, ...end }));
  const before = tries.slice(0, -1);
  if (!last.some(isHeldUp)) return [...before, ...last];
  return [...before.slice(0, before.findLastIndex((it) => !isHeldUp(it)) + 1), ...last];
}

/** How long to wait for others, or for the end of an outage: apart from each other. */
export function heldUpDelayMs({ baseSeconds }: RetryPlan, random: number): number {
  return baseSeconds * SECOND_MS * (1 + random);
}

/** How long to wait after so many attempts: full jitter under a cap. */
export function retryDelayMs(
  attempts: number,
  { baseSeconds, maxSeconds }: RetryPlan,
  random: number,
): number {
  const limits = { baseMs: baseSeconds * SECOND_MS, capMs: maxSeconds * SECOND_MS };
  return fullJitterMs(attempts - 1, limits, random);
}

/** The last error of a receipt; an attempt without an end before another one was lost. */
export function lastErrorOf({ tries, status }: Pick<Receipt, 'tries' | 'status'>) {
  const ended = status === 'processing' ? tries.slice(0, -1) : tries;
  return ended.map(errorOf).findLast((it) => it !== undefined);
}

/** Why an attempt that is not going on failed. */
export function errorOf({ endedAtMs, error }: Try): string | undefined {
  return endedAtMs === undefined ? 'worker_lost' : error;
}
