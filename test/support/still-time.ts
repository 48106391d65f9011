import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';

const TIMERS = ['setTimeout', 'clearTimeout', 'performance'] as const;

let stands = false;

/**
 * In the tests of a file time stands still but for what they let pass; sockets are real. So no
 * deadline of a request is over before its time where the machine is busy with other things.
 */
export function useStillTime(...more: readonly 'Date'[]): void {
  beforeAll(() => {
    stands = true;
  });
  beforeEach(() => void vi.useFakeTimers({ toFake: [...TIMERS, ...more] }));
  afterEach(() => void vi.useRealTimers());
  afterAll(() => {
    stands = false;
  });
}

/** For what is true of still time only: throws in a file that has not asked for it. */
export function assertStillTime(): void {
  if (!stands) throw new Error('the file of this test has to call useStillTime() at its top');
}
