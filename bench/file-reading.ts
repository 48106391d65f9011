/**
 * The whole reading of a file (unpack, scan, dedupe, alert lines, blocks) at growing numbers of
 * users, all of them different: rows per second, the most memory that the process ever had, and
 * whether the time grows like the rows. Each in a process of its own and bundled, as in a Lambda.
 *
 *   node bench/file-reading.ts [millions of rows, at most]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { FileReading } from '../functions/files/file-reading.ts';
import { readUnpacked } from '../functions/files/read-unpacked.ts';

const MILLIONS = [0.5, 1, 2, 3, 4, 5];
const CHUNK_BYTES = 64 * 1024;
const GOAL = { rowsPerSecond: 350_000, rssMB: 350 };

interface Result {
  readonly rows: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** What a machine with nothing else to do would come to, more or less. */
  readonly rowsPerCpuSecond: number;
  readonly rssMB: number;
}

async function makeFile(path: string, rows: number): Promise<void> {
  const out = createWriteStream(path);
  out.write('user_id,first_name,city\n');
  for (let row = 0; row < rows; ) {
    const lines = Array.from({ length: 1_000 }, () => lineOf(++row));
    if (!out.write(lines.join(''))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
}

const lineOf = (row: number) => `user-${row * 7_919},"Zoë ${row % 97}",Kraków\n`;

async function read(path: string): Promise<Result> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const reading = new FileReading({ fileId: 'fil_1', fileName: 'a.csv', idColumn: 'user_id' });
  let storedBytes = 0;
  const chunks = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  for await (const chunk of readUnpacked(chunks, statSync(path).size)) {
    for (const { bytes } of reading.read(chunk)) storedBytes += bytes.length;
  }
  for (const { bytes } of reading.end()) storedBytes += bytes.length;
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const { rows, alerts } = reading.counts;
  if (alerts !== rows) throw new Error(`${alerts} users in ${rows} rows`);
  if (storedBytes < rows) throw new Error(`${storedBytes} bytes of ${rows} alerts`);
  // The kernel counts in KiB.
  const rssMB = Math.round((process.resourceUsage().maxRSS * 1_024) / 1e6);
  return {
    ...{ rows, rssMB, seconds: Math.round(seconds * 100) / 100 },
    rowsPerSecond: Math.round(rows / seconds),
    rowsPerCpuSecond: Math.round((1e6 * rows) / (user + system)),
  };
}

/** This very program as it would be deployed. */
async function bundle(outfile: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [import.meta.filename],
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node24', external: ['esbuild'] },
    outfile,
  });
}

/** Reads the file in a process of its own. */
async function readApart(program: string, path: string): Promise<Result> {
  const args = [program, '--read', path];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return JSON.parse(await text(child.stdout)) as Result;
}

async function measureAll(millionsMax: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tallyhook-bench-'));
  const results: Result[] = [];
  const program = join(folder, 'read.mjs');
  try {
    await bundle(program);
    for (const millions of MILLIONS.filter((it) => it <= millionsMax)) {
      const path = join(folder, 'users.csv');
      await makeFile(path, millions * 1e6);
      results.push(await readApart(program, path));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.table(results);
  const [first, last] = [results[0], results.at(-1)];
  if (!first || !last) return;
  const growth = first.rowsPerCpuSecond / last.rowsPerCpuSecond;
  console.log(
    `${last.rowsPerSecond} rows a second, ${last.rssMB} MB at ${last.rows} users ` +
      `(goals: ${GOAL.rowsPerSecond}, ${GOAL.rssMB} MB)`,
  );
  console.log(
    `a row of the largest file takes ${growth.toFixed(2)} × the CPU of one of the smallest`,
  );
}

const [flag, path = ''] = process.argv.slice(2);
if (flag === '--read') console.log(JSON.stringify(await read(path)));
else await measureAll(Number(flag ?? 5));
