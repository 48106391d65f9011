import { originalBytesIn, type TextEncoding } from './text-encoding.ts';
import { TextWindow } from './text-window.ts';

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
  /** Of the file, before it became UTF-8. */
  protected readonly encoding: TextEncoding;
  /** No more text comes. */
  #isFinal = false;

  constructor(encoding: TextEncoding = 'utf-8') {
    this.encoding = encoding;
    this.window = new TextWindow(originalBytesIn(encoding));
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
