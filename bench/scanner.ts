/**
 * Rows per second of the CSV scanner against csv-parse, uDSV and PapaParse, one after the other on
 * the same file of 200 MB: quoted fields, separators and line breaks within quotes, doubled
 * quotes, text of many bytes a character, CRLF. Each makes the fields of every row; the scanner
 * leaves them as bytes. The last two get text, because they cannot decode chunks of bytes.
 *
 *   node bench/scanner.ts [megabytes]
 */
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse';
import Papa from 'papaparse';
import { inferSchema, initParser, type Parser } from 'udsv';
import { CsvScanner } from '../functions/files/csv-scanner.ts';

const megabytes = Number(process.argv[2] ?? 200);
const CHUNK_BYTES = 64 * 1024;

interface Result {
  readonly name: string;
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** What a machine with nothing else to do would come to, more or less. */
  readonly rowsPerCpuSecond: number;
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

const textOf = (path: string) =>
  createReadStream(path, { highWaterMark: CHUNK_BYTES, encoding: 'utf8' });

async function countByUdsv(path: string): Promise<number> {
  let rows = 0;
  let parser: Parser | undefined;
  const take = () => {
    rows += 1;
  };
  for await (const text of textOf(path)) {
    parser ??= initParser(inferSchema(text));
    parser.chunk<string[]>(text, parser.stringArrs, take);
  }
  parser?.end();
  return rows;
}

function countByPapaParse(path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let records = 0;
  Papa.parse(textOf(path), {
    chunk: ({ data }) => {
      records += data.length;
    },
    complete: () => resolve(records - 1),
    error: reject,
    skipEmptyLines: true,
  });
  return promise;
}

async function measure(name: string, count: () => Promise<number>): Promise<Result> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const rows = await count();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rowsPerCpuSecond = Math.round((1e6 * rows) / (user + system));
  return { name, rows, rowsPerSecond: Math.round(rows / seconds), rowsPerCpuSecond };
}

const folder = mkdtempSync(join(tmpdir(), 'tallyhook-bench-'));
try {
  const path = join(folder, 'users.csv');
  await makeFile(path);
  const scanner = await measure('scanner', () => countByScanner(path));
  const udsv = await measure('uDSV', () => countByUdsv(path));
  const papaParse = await measure('PapaParse', () => countByPapaParse(path));
  const csvParse = await measure('csv-parse', () => countByCsvParse(path));
  const results = [scanner, udsv, papaParse, csvParse];
  console.table(results);
  const other = results.find(({ rows }) => rows !== scanner.rows);
  if (other) throw new Error(`${other.name} finds ${other.rows} rows, the scanner ${scanner.rows}`);
  const ratio = scanner.rowsPerSecond / csvParse.rowsPerSecond;
  const cpuRatio = scanner.rowsPerCpuSecond / csvParse.rowsPerCpuSecond;
  console.log(
    `scanner / csv-parse: ${ratio.toFixed(1)} × on ${megabytes} MB (goal: 5 ×), ` +
      `${cpuRatio.toFixed(1)} × by the CPU`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
