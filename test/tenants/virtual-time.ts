interface Step {
  readonly atMs: number;
  wake(): void;
}

/** Passes only when there is nothing left to do at a moment, so that latency costs no time. */
export class VirtualTime {
  #nowMs: number;
  readonly #steps: Step[] = [];
  readonly #held = new Set<Promise<unknown>>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Those who sleep until the same time wake in the order in which they fell asleep. */
  until(atMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const place = this.#steps.findIndex((it) => it.atMs > atMs);
    this.#steps.splice(place < 0 ? this.#steps.length : place, 0, { atMs, wake: resolve });
    return promise;
  }

  sleep(ms: number): Promise<void> {
    return this.until(this.#nowMs + ms);
  }

  /** Time stands still for this work, which takes some in truth. */
  async hold<Result>(work: Promise<Result>): Promise<Result> {
    this.#held.add(work);
    try {
      return await work;
    } finally {
      this.#held.delete(work);
    }
  }

  /** Until nobody sleeps any more. */
  async run(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#held.size > 0) {
        await Promise.allSettled(this.#held);
        continue;
      }
      const step = this.#steps.shift();
      if (!step) return;
      this.#nowMs = Math.max(this.#nowMs, step.atMs);
      step.wake();
    }
  }
}
