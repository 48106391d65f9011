import { brokenArchive } from './archive-limits.ts';

/** Bytes that come in chunks, to be taken in other portions. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #ready: Uint8Array = new Uint8Array(0);
  #isDone = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, which stay; fewer only at the end. */
  async look(count: number): Promise<Uint8Array> {
    while (this.#ready.length < count && !this.#isDone) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#isDone = true;
      else this.#ready = this.#ready.length === 0 ? value : Buffer.concat([this.#ready, value]);
    }
    return this.#ready.subarray(0, count);
  }

  async isAtEnd(): Promise<boolean> {
    return (await this.look(1)).length === 0;
  }

  /** Exactly so many bytes. Throws FileFault where there are not as many left. */
  async take(count: number): Promise<Uint8Array> {
    const taken = await this.look(count);
    if (taken.length < count) throw brokenArchive();
    this.#ready = this.#ready.subarray(count);
    return taken;
  }

  /** All that is left, in chunks. */
  async *rest(): AsyncGenerator<Uint8Array> {
    try {
      if (this.#ready.length > 0) yield this.#ready;
      for (;;) {
        const { value, done } = await this.#chunks.next();
        if (done) return;
        yield value;
      }
    } finally {
      await this.close();
    }
  }

  /** Nobody wants the rest. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
