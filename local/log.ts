import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Beyond this size the log of earlier runs is put aside at start, as `local-cloud.1.log`. */
const LOG_BYTES_MAX = 50 * 1_024 * 1_024;

/** Where the local cloud and its functions write what they have to say. */
export interface LocalLog {
  /** The file, for people to follow with `tail -f`. */
  readonly file: string;
  /** One line into the file. `source` is the function or part that speaks. */
  line(source: string, text: string): void;
  /** Into the file and onto the terminal: a part crashed, or something else worth a look. */
  say(source: string, text: string): void;
  /** Every line of a stream of text, such as the output of a child process. */
  follow(source: string, stream: Readable): void;
  close(): Promise<void>;
}

export function openLog(stateDir: string, quiet: boolean): LocalLog {
  const dir = join(stateDir, 'log');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'local-cloud.log');
  if (existsSync(file) && statSync(file).size > LOG_BYTES_MAX) {
    renameSync(file, join(dir, 'local-cloud.1.log'));
  }
  const out = createWriteStream(file, { flags: 'a' });
  const line = (source: string, text: string) => {
    if (!out.writableEnded) out.write(`${new Date().toISOString()} ${source} ${text}\n`);
  };
  return {
    file,
    line,
    say(source, text) {
      line(source, text);
      if (!quiet) process.stderr.write(`${source}: ${text}\n`);
    },
    follow(source, stream) {
      createInterface({ input: stream }).on('line', (text) => line(source, text));
    },
    close: () => new Promise((resolve) => out.end(resolve)),
  };
}
