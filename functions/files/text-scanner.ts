import { type OriginalBytes, TextWindow } from './text-window.ts';

/**
 * Reads the records of a text that comes in chunks cut anywhere. Whoever takes the records may
 * pause the scan behind any of them, and let it go on before more text comes.
 */
export abstract class TextScanner {
  /** Rows so far, the malformed ones included. */
  rows = 0;
  /** Whether whoever takes the records has paused the scan. */
  isPaused = false;
  protected readonly window: TextWindow;
  /** No more text comes. */
  #isFinal = false;

  constructor(originalBytes?: OriginalBytes) {
    this.window = new TextWindow(originalBytes);
  }

  push(chunk: Uint8Array): void {
    if (this.window.append(chunk)) this.goOn();
  }

  /** No more bytes come. The last record may lack its line break. */
  end(): void {
    this.#isFinal = true;
    this.goOn();
  }

  /** Stops behind the record that is being taken. */
  pause(): void {
    this.isPaused = true;
  }

  /** Reads what is complete of the text that has come. */
  goOn(): void {
    this.isPaused = false;
    this.window.keep(this.scan(this.#isFinal));
  }

  /**
   * Takes the complete records of the window until it is paused, and returns where the first one
   * begins that was not taken.
   */
  protected abstract scan(final: boolean): number;
}
