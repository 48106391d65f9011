import type { SendError, SendResult } from '../shared/world.ts';
import { retryAfterMs } from './retry-after.ts';
import { cutSample } from './sample.ts';

/** How one try to deliver a webhook ended, and what the receiver asked for. */
export interface Attempt {
  /**
   * `delivered`: a 2xx. `failed`: any other status, or nothing went out. `unknown`: it went out
   * and no status line came back. `abandoned`: nothing went out, because it was not wanted any
   * more; this is no attempt and is not recorded.
   */
  readonly outcome: 'delivered' | 'failed' | 'unknown' | 'abandoned';
  readonly status?: number | undefined;
  readonly error?: SendError | undefined;
  readonly ms: number;
  /** A second copy went out in it, behind one that may have arrived. */
  readonly repeated?: true | undefined;
  /** From one second to a day, when the receiver named a time. */
  readonly retryAfterMs?: number | undefined;
  /** The receiver is too busy: the whole endpoint slows down, and no attempt is spent. */
  readonly throttled: boolean;
  /** The receiver wants no more webhooks: 410, or `webhook-delivery: disable`. */
  readonly disable: boolean;
  /** The beginning of a refusal's body as text, of at most 800 bytes. */
  readonly sample?: string | undefined;
}

/** The status line decides, however the body ends. A redirect is a failure like any other. */
export function judge(result: SendResult, nowMs: number): Attempt {
  const { ms, repeated } = result;
  const plain = { ms, repeated, throttled: false, disable: false };
  if (result.kind === 'abandoned') return { ...plain, outcome: 'abandoned' };
  if (result.kind !== 'answered') {
    return { ...plain, outcome: result.kind, error: result.error };
  }
  const { status, headers } = result;
  const disable = status === 410 || headers['webhook-delivery']?.trim().toLowerCase() === 'disable';
  if (status >= 200 && status < 300) return { ...plain, outcome: 'delivered', status, disable };

  const waitMs = retryAfterMs(headers['retry-after'], nowMs);
  return {
    ...plain,
    outcome: 'failed',
    status,
    disable,
    retryAfterMs: waitMs,
    throttled: status === 429 || (status === 503 && waitMs !== undefined),
    sample: textOf(result.sample),
  };
}

/**
 * The beginning of a body as text. What is not UTF-8 shows as replacement characters. Undefined
 * when nothing is left.
 */
function textOf(bytes: Uint8Array): string | undefined {
  return cutSample(new TextDecoder().decode(bytes, { stream: true })) || undefined;
}
