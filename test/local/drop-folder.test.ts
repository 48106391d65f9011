import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, it, vi } from 'vitest';
import { watchDropFolder } from '../../local/drop-folder.ts';

const dir = mkdtempSync(join(tmpdir(), 'drop-'));
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
  rmSync(dir, { recursive: true, force: true });
});

const log = {
  file: '',
  line: () => undefined,
  say: () => undefined,
  follow: () => undefined,
  close: async () => undefined,
};

it('takes a complete file to the bucket under the same folders, and nothing else', async () => {
  const puts: [string, string][] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    puts.push([`${request.method} ${request.url}`, await text(request)]);
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  undo.push(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  undo.push(watchDropFolder({ dir, endpoint: `http://127.0.0.1:${port}`, bucket: 'files', log }));

  const folder = join(dir, 'ten_1', 'end_2', 'may');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'a list.csv'), 'user_id\nu1\n');
  writeFileSync(join(folder, '.hidden'), 'x');
  writeFileSync(join(dir, 'ten_1', 'stray.csv'), 'x');

  await vi.waitFor(() => expect(puts).toHaveLength(1), { timeout: 10_000 });
  expect(puts).toEqual([['PUT /files/drop/ten_1/end_2/may/a%20list.csv', 'user_id\nu1\n']]);
  await vi.waitFor(() => expect(existsSync(join(folder, 'a list.csv'))).toBe(false));
  expect(existsSync(join(folder, '.hidden'))).toBe(true);
  expect(existsSync(join(dir, 'ten_1', 'stray.csv'))).toBe(true);
});
