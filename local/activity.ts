/** For this long after the last event, something may still be written. */
const ACTIVE_MS = 1_000;

/** Streams are polled fast while functions run, and rarely otherwise: a poll costs 0.4 ms. */
const POLL_MS = { active: 5, idle: 100 };

/**
 * Tells the readers of streams when something may have been written: whenever a function is
 * called or ends. An idle reader sleeps longer, and is woken by the first call.
 */
export class Activity {
  #activeUntilMs = 0;
  readonly #sleeping = new Set<() => void>();

  /** A function was called, or has ended. */
  touch(): void {
    this.#activeUntilMs = Date.now() + ACTIVE_MS;
    for (const wake of [...this.#sleeping]) wake();
  }

  /** Resolves when it is time to look at a stream again. */
  pause(signal: AbortSignal): Promise<void> {
    const isActive = Date.now() < this.#activeUntilMs;
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#sleeping.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, isActive ? POLL_MS.active : POLL_MS.idle);
      signal.addEventListener('abort', wake);
      if (!isActive) this.#sleeping.add(wake);
    });
  }
}
