import { Problem } from '../problem.ts';
import { SECOND_MS } from '../units.ts';

/**
 * How long a service may keep silent. Without a limit one dead socket holds a function until
 * Lambda ends it, and its caller gets no answer of ours. The SDK tries three times.
 */
export const PATIENCE = {
  maxAttempts: 3,
  requestHandler: {
    connectionTimeout: 2 * SECOND_MS,
    requestTimeout: 5 * SECOND_MS,
    throwOnRequestTimeout: true,
  },
};

/** An outage of `service` is a 503 that says so, never a 500. Other errors stay what they are. */
export async function answered<Answer>(
  service: string,
  call: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (!isOutage(error)) throw error;
    throw new Problem('unavailable', {
      detail: `The ${service} did not answer in time. Retry with the same Idempotency-Key.`,
      retryAfterSeconds: 1,
    });
  }
}

const THROTTLES = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'SlowDown',
]);
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { $fault, code } = error as { $fault?: string; code?: string };
  return (
    $fault === 'server' ||
    THROTTLES.has(error.name) ||
    error.name === 'TimeoutError' ||
    NETWORK.has(code ?? '')
  );
}
