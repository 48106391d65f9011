import { readJson, writeJson } from '../state.ts';

const WRITE_AFTER_MS = 50;

/**
 * How far each shard was read, in one file. It may be a moment behind after `kill -9`: records
 * that were handled then come again, and none is skipped.
 */
export class Checkpoints {
  readonly #file: string;
  readonly #positions: Record<string, string>;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#positions = readJson(file) ?? {};
  }

  /** The sequence number up to which everything is done. */
  get(shard: string): string | undefined {
    return this.#positions[shard];
  }

  set(shard: string, sequenceNumber: string): void {
    this.#positions[shard] = sequenceNumber;
    this.#timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS);
  }

  /** Writes what is not written yet. */
  flush(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    writeJson(this.#file, this.#positions);
  }
}
