/**
 * Rows per second of the CSV scanner against csv-parse, one after the other on the same file of
 * 200 MB: quoted fields, separators and line breaks within quotes, doubled quotes, text of many
 * bytes a character, CRLF. Then the whole reading of a file (scan, dedupe, alert lines, blocks).
 *
 *   node bench/scanner.ts [megabytes]
 */
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse';
import { CsvScanner } from '../functions/files/csv-scanner.ts';
import { FileReading } from '../functions/files/file-reading.ts';

const megabytes = Number(process.argv[2] ?? 200);
const CHUNK_BYTES = 64 * 1024;

interface Result {
  readonly name: string;
  readonly rows: number;
  readonly rowsPerSecond: number;
  readonly rssMiB: number;
}

async function makeFile(path: string): Promise<void> {
  const out = createWriteStream(path);
  out.write('user_id,first_name,city,note\r\n');
  for (let row = 0; out.bytesWritten + out.writableLength < megabytes * 1e6; ) {
    const lines = Array.from({ length: 1_000 }, () => lineOf(++row));
    if (!out.write(lines.join(''))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

function lineOf(row: number): string {
  const note = `"says ""hi"" — line ${row % 13}\r\nnext 日本"`;
  return `u${100_000 + row},"Zoë Müller ${row % 97}","Kraków, Łódź",${note}\r\n`;
}

const chunksOf = (path: string) => createReadStream(path, { highWaterMark: CHUNK_BYTES });

async function countByCsvParse(path: string): Promise<number> {
  let records = 0;
  const parser = parse();
  parser.on('readable', () => {
    while (parser.read() !== null) records += 1;
  });
  chunksOf(path).pipe(parser);
  await once(parser, 'end');
  return records - 1;
}

async function countByScanner(path: string): Promise<number> {
  let rows = 0;
  const scanner = new CsvScanner({
    header: () => undefined,
    row: () => {
      rows += 1;
    },
    malformed: () => undefined,
  });
  for await (const chunk of chunksOf(path)) scanner.push(chunk);
  scanner.end();
  return rows;
}

async function countByReading(path: string): Promise<number> {
  const reading = new FileReading({ fileId: 'fil_1', fileName: 'a.csv', idColumn: 'user_id' });
  for await (const chunk of chunksOf(path)) {
    reading.push(chunk);
    reading.takeSegments();
  }
  reading.end();
  return reading.counts.alerts;
}

async function measure(name: string, count: () => Promise<number>): Promise<Result> {
  const startMs = performance.now();
  const rows = await count();
  const seconds = (performance.now() - startMs) / 1000;
  const rssMiB = Math.round(process.memoryUsage.rss() / 2 ** 20);
  return { name, rows, rowsPerSecond: Math.round(rows / seconds), rssMiB };
}

const folder = mkdtempSync(join(tmpdir(), 'tallyhook-bench-'));
try {
  const path = join(folder, 'users.csv');
  await makeFile(path);
  const scanner = await measure('scanner', () => countByScanner(path));
  const reading = await measure('scan + dedupe + blocks', () => countByReading(path));
  const csvParse = await measure('csv-parse', () => countByCsvParse(path));
  if (scanner.rows !== csvParse.rows || reading.rows !== csvParse.rows) {
    throw new Error(`they disagree: ${scanner.rows}, ${reading.rows}, ${csvParse.rows} rows`);
  }
  console.table([scanner, reading, csvParse]);
  const ratio = scanner.rowsPerSecond / csvParse.rowsPerSecond;
  console.log(`scanner / csv-parse: ${ratio.toFixed(1)} × on ${megabytes} MB (goal: 5 ×)`);
} finally {
  rmSync(folder, { recursive: true });
}
