import { afterEach, beforeEach, vi } from 'vitest';

const TIMERS = ['setTimeout', 'clearTimeout', 'performance'] as const;

/**
 * In the tests of a file time stands still but for what they let pass; sockets are real. So no
 * deadline of a request is over before its time where the machine is busy with other things.
 */
export function useStillTime(...more: readonly 'Date'[]): void {
  beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS, ...more] }));
  afterEach(() => void vi.useRealTimers());
}
