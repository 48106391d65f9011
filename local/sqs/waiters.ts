/** A delayed message may be further away than a timer should be trusted. */
const NAP_MS_MAX = 20_000;

/** Long polls: whoever waits for a queue is woken when something of it may be received. */
export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves when the queue is woken, when `dueInMs` is over, or when the caller has gone. */
  wait(queue: string, dueInMs: number, gone: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(queue) ?? new Set();
    this.#waiting.set(queue, waiting);
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        waiting.delete(finish);
        gone.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.min(dueInMs, NAP_MS_MAX));
      waiting.add(finish);
      gone.addEventListener('abort', finish);
    });
  }

  wake(queue: string): void {
    for (const finish of [...(this.#waiting.get(queue) ?? [])]) finish();
  }

  wakeAll(): void {
    for (const queue of this.#waiting.keys()) this.wake(queue);
  }
}
