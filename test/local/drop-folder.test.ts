import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { watchDropFolder } from '../../local/drop-folder.ts';
import { eventually } from '../support/until.ts';

const dir = mkdtempSync(join(tmpdir(), 'drop-'));
const undo: (() => unknown)[] = [];
afterEach(async () => {
  lines.length = 0;
  for (const step of undo.splice(0)) await step();
  rmSync(dir, { recursive: true, force: true });
});

const lines: string[] = [];
const log = {
  file: '',
  line: (_source: string, text: string) => void lines.push(text),
  say: () => undefined,
  follow: () => undefined,
  close: async () => undefined,
};

/** Watches the folder for a bucket that answers so, and notes what it gets. */
async function watch(answer: (path: string) => number): Promise<[string, string][]> {
  const puts: [string, string][] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    puts.push([`${request.method} ${request.url}`, await text(request)]);
    response.writeHead(answer(request.url ?? '')).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  undo.push(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  undo.push(watchDropFolder({ dir, endpoint: `http://127.0.0.1:${port}`, bucket: 'files', log }));
  return puts;
}

it('takes a complete file to the bucket under the same folders, and nothing else', async () => {
  const puts = await watch(() => 200);

  const folder = join(dir, 'ten_1', 'end_2', 'may');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'a list.csv'), 'user_id\nu1\n');
  writeFileSync(join(folder, '.hidden'), 'x');
  writeFileSync(join(dir, 'ten_1', 'stray.csv'), 'x');

  await eventually(() => expect(puts).toHaveLength(1));
  expect(puts).toEqual([['PUT /files/drop/ten_1/end_2/may/a%20list.csv', 'user_id\nu1\n']]);
  await eventually(() => expect(existsSync(join(folder, 'a list.csv'))).toBe(false));
  expect(existsSync(join(folder, '.hidden'))).toBe(true);
  expect(existsSync(join(dir, 'ten_1', 'stray.csv'))).toBe(true);
});

it('says once of what lies too high that nobody takes it, and leaves it there', async () => {
  const folder = join(dir, 'ten_1', 'end_2');
  mkdirSync(folder, { recursive: true });
  const strays = [join(dir, 'root.csv'), join(dir, 'ten_1', 'stray.csv')];
  for (const path of strays) writeFileSync(path, 'user_id\nu1\n');
  writeFileSync(join(dir, 'ten_1', '.hidden'), 'x');
  symlinkSync(join(dir, 'root.csv'), join(dir, 'ten_1', 'link.csv'));
  const puts = await watch(() => 200);

  const said = () => lines.filter((it) => !it.startsWith('took '));
  const why = 'lies in no folder <tenant>/<endpoint>/ and is not taken (drop.no-endpoint)';
  await eventually(() => expect(said()).toHaveLength(2));
  // Each of these takes two looks at least.
  for (const name of ['a.csv', 'b.csv']) {
    writeFileSync(join(folder, name), 'user_id\nu1\n');
    await eventually(() => expect(existsSync(join(folder, name))).toBe(false));
  }
  expect(said().toSorted()).toEqual(strays.map((it) => `${it}: ${why}`).toSorted());
  expect(strays.map((it) => existsSync(it))).toEqual([true, true]);

  const [first = ''] = strays;
  rmSync(first);
  writeFileSync(join(folder, 'c.csv'), 'user_id\nu1\n');
  await eventually(() => expect(existsSync(join(folder, 'c.csv'))).toBe(false));
  writeFileSync(first, 'user_id\nu1\n');
  await eventually(() => expect(said()).toHaveLength(3));
  expect(puts).toHaveLength(3);
});

it('takes what is beside a folder that cannot be read, and says once that it cannot', async () => {
  const folder = join(dir, 'ten_1', 'end_2');
  mkdirSync(folder, { recursive: true });
  // No path may be this long, whoever asks; `rm` goes there step by step.
  const deeper = `for (const name of Array(20).fill('x'.repeat(250))) {
    fs.mkdirSync(name);
    process.chdir(name);
  }`;
  execFileSync(process.execPath, ['-e', deeper], { cwd: folder });
  undo.push(() => execFileSync('rm', ['-rf', folder]));
  writeFileSync(join(folder, 'z.csv'), 'user_id\nu1\n');
  const puts = await watch(() => 200);

  await eventually(() => expect(puts).toHaveLength(1));
  writeFileSync(join(folder, 'later.csv'), 'user_id\nu1\n');
  await eventually(() => expect(puts).toHaveLength(2));
  expect(lines.filter((it) => it.includes('ENAMETOOLONG'))).toHaveLength(1);
});

it('takes what is behind a file that is refused, and says once that it is', async () => {
  let refuses = true;
  const puts = await watch((path) => (refuses && path.includes('a.csv') ? 403 : 200));
  const folder = join(dir, 'ten_1', 'end_2');
  mkdirSync(folder, { recursive: true });
  for (const name of ['a.csv', 'b.csv', 'c.csv']) writeFileSync(join(folder, name), 'user_id\n');

  await eventually(() => expect(existsSync(join(folder, 'b.csv'))).toBe(false));
  await eventually(() => expect(existsSync(join(folder, 'c.csv'))).toBe(false));
  const tries = () => puts.filter(([path]) => path.endsWith('a.csv')).length;
  await eventually(() => expect(tries()).toBeGreaterThanOrEqual(3));
  const said = lines.filter((it) => it.includes('a.csv'));
  expect(said).toEqual([`${join(folder, 'a.csv')}: the bucket answered 403`]);

  refuses = false;
  await eventually(() => expect(existsSync(join(folder, 'a.csv'))).toBe(false));
});

it.each([
  [
    'written anew',
    'user_id\nu2\n',
    (path: string, content: string) => writeFileSync(path, content),
  ],
  ['moved there, of the same size and time', 'user_id\nu2\n', replace],
  ['moved there, longer', 'user_id\nu2\nu3\n', replace],
])('takes also what comes under a name while its file is on its way: %s', async (_how, ...next) => {
  const [content, put] = next;
  const folder = join(dir, 'ten_1', 'end_2');
  const path = join(folder, 'a.csv');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, 'user_id\nu1\n');
  let isFirst = true;
  const puts = await watch(() => {
    if (isFirst) put(path, content);
    isFirst = false;
    return 200;
  });

  await eventually(() => expect(puts).toHaveLength(2));
  expect(puts.map(([, body]) => body)).toEqual(['user_id\nu1\n', content]);
  await eventually(() => expect(existsSync(path)).toBe(false));
});

/** Another file takes the place, with the time of the one before. */
function replace(path: string, content: string): void {
  const { atime, mtime } = statSync(path);
  const other = join(dir, 'other');
  writeFileSync(other, content);
  utimesSync(other, atime, mtime);
  renameSync(other, path);
}
