import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keepRunning, type Run } from '../../local/engines/keep-running.ts';

/** A part whose lives the test ends. */
class Part {
  readonly said: string[] = [];
  readonly givenUp: string[] = [];
  /** How each life so far is ended, the newest last. */
  readonly ends: ((how: string) => void)[] = [];
  startsFail = false;
  startsAfter = Promise.resolve();
  stops = 0;

  readonly kept = {
    name: 'part',
    run: () => this.#run(),
    log: { say: (source: string, text: string) => void this.said.push(`${source}: ${text}`) },
    giveUp: (reason: string) => void this.givenUp.push(reason),
  };

  async #run(): Promise<Run> {
    await this.startsAfter;
    if (this.startsFail) throw new Error('no room');
    const { promise, resolve } = Promise.withResolvers<string>();
    this.ends.push(resolve);
    return {
      ended: promise,
      stop: async () => {
        this.stops += 1;
        resolve('stopped');
      },
    };
  }

  /** Ends the newest life, and lets the next one begin. */
  async end(): Promise<void> {
    this.ends.at(-1)?.('SIGKILL');
    await vi.advanceTimersByTimeAsync(0);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('keepRunning', () => {
  it('starts a part that ended by itself again, and says so', async () => {
    const part = new Part();
    await keepRunning(part.kept);
    await part.end();
    expect(part.ends).toHaveLength(2);
    expect(part.said).toEqual(['part: ended by itself (SIGKILL) and is started again']);
  });

  it.each([
    ['gives up at the fourth end within a minute', 59_999, 4, 1],
    ['goes on when the first end is a minute ago', 60_000, 5, 0],
  ])('%s', async (_, laterMs, lives, givenUp) => {
    const part = new Part();
    await keepRunning(part.kept);
    for (let i = 0; i < 3; i += 1) await part.end();
    await vi.advanceTimersByTimeAsync(laterMs);
    await part.end();
    expect([part.ends.length, part.givenUp.length]).toEqual([lives, givenUp]);
  });

  it('counts a start that fails as an end', async () => {
    const part = new Part();
    await keepRunning(part.kept);
    part.startsFail = true;
    await part.end();
    expect(part.said).toHaveLength(3);
    expect(part.givenUp).toEqual(['part ended 4 times within a minute (no room)']);
  });

  it('stops what was just being started again', async () => {
    const part = new Part();
    const stop = await keepRunning(part.kept);
    const { promise, resolve } = Promise.withResolvers<void>();
    part.startsAfter = promise;
    await part.end();
    const stopped = stop();
    resolve();
    await stopped;
    expect(part.stops).toEqual(2);
  });

  it('starts nothing again that was stopped', async () => {
    const part = new Part();
    const stop = await keepRunning(part.kept);
    await stop();
    expect([part.ends.length, part.said, part.givenUp]).toEqual([1, [], []]);
  });

  it('throws what the first start throws', async () => {
    const part = new Part();
    part.startsFail = true;
    await expect(keepRunning(part.kept)).rejects.toThrow('no room');
  });
});
