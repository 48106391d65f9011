import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { type FileRecipe, makeLines } from '../../local/make-file/lines.ts';

const PLAIN: FileRecipe = {
  rows: 100,
  duplicates: 0,
  malformed: 0,
  columns: 4,
  quotes: false,
  newlines: false,
  lineEnd: '\n',
  unclosedQuote: false,
  noId: false,
  seed: 1,
};

const make = (change: Partial<FileRecipe>) => [...makeLines({ ...PLAIN, ...change })];
const records = (change: Partial<FileRecipe>): string[][] => parse(make(change).join(''));

describe('a test file', () => {
  it('has one line per row behind its header', () => {
    const [header, ...rows] = records({});
    expect(header).toEqual(['user_id', 'first_name', 'city', 'note']);
    expect(rows).toHaveLength(100);
    expect(new Set(rows.map((it) => it[0])).size).toBe(100);
  });

  it.each([0, 1, 2, 1_000])('may have %i rows', (rows) => {
    expect(make({ rows })).toHaveLength(rows + 1);
  });

  it.each([1, 2, 4, 7])('may have %i columns', (columns) => {
    for (const row of records({ columns, quotes: true })) expect(row).toHaveLength(columns);
  });

  it('is the same for the same seed, and another one for another', () => {
    const recipe = { duplicates: 20, malformed: 20 };
    expect(make(recipe)).toEqual(make(recipe));
    expect(make(recipe)).not.toEqual(make({ ...recipe, seed: 2 }));
  });

  it('keeps separators, quotes and line breaks within fields', () => {
    const recipe = { quotes: true, newlines: true, lineEnd: '\r\n' } as const;
    const rows = records(recipe);
    expect(rows).toHaveLength(101);
    expect(rows[10]?.[3]).toBe('says "hi", row 10\r\nand more');
  });

  it.each([
    [0, 0],
    [1, 0],
    [0, 1],
    [99, 0],
    [0, 100],
    [30, 30],
    [50, 49],
  ])('has exactly %i duplicates and %i malformed rows', (duplicates, malformed) => {
    const lines = make({ duplicates, malformed }).slice(1);
    const sound = lines.filter((it) => /^user-\d+,[^,]+,[^,]+,note \d+\n$/.test(it));
    const users = new Set(sound.map((it) => it.split(',')[0]));
    expect(lines).toHaveLength(100);
    expect(sound).toHaveLength(100 - malformed);
    expect(users.size).toBe(100 - malformed - duplicates);
  });

  it.each([{ duplicates: 100 }, { duplicates: 50, malformed: 50 }, { malformed: 101 }])(
    'is refused when no user is left: %j',
    (change) => {
      expect(() => make(change)).toThrow();
    },
  );

  it('can lack the column of the ids', () => {
    expect(make({ noId: true })[0]).toBe('customer,first_name,city,note\n');
  });

  it('can end in a quote that nothing closes', () => {
    expect(() => records({ unclosedQuote: true })).toThrow(/quote/i);
  });
});

describe('the command', () => {
  const script = 'local/make-file.ts';
  // As from a shell: `npm test` says in the environment that npm runs, and the command heeds that.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')),
  );
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [script, ...args], { env });

  it('writes the file, and says what is in it', async () => {
    const { stdout, stderr } = await run(
      '--rows',
      '200',
      '--duplicates',
      '0.1',
      '--malformed',
      '5',
    );
    expect(stdout.split('\n')).toHaveLength(202);
    expect(stderr).toBe('200 rows: 175 users, 20 duplicates, 5 malformed\n');
  });

  it('ends quietly when its reader has seen enough', async () => {
    const child = spawn(process.execPath, [script, '--rows', '5000000'], { env });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect([code, errors]).toEqual([0, '']);
  });

  it.each([
    ['--rows', '-1'],
    ['--rows', '1.5'],
    ['--rows', ''],
    ['--duplicates', '1.5'],
    ['--malformed', '1001'],
    ['--what', '1'],
  ])('refuses %s %s with one line', async (flag, value) => {
    const reason = await run(`${flag}=${value}`).catch((error: unknown) => error);
    expect(reason).toMatchObject({ code: 1, stdout: '' });
    expect((reason as { stderr: string }).stderr).toMatch(/^.+\n$/);
  });

  it('refuses a negative number by the bounds of its flag', async () => {
    const reason = await run('--rows', '-1').catch((error: unknown) => error);
    expect(reason).toMatchObject({
      code: 1,
      stderr: '--rows must be a whole number from 0 to 100000000\n',
    });
  });

  it('leaves nothing of npm in a file that it is redirected to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tallyhook-make-file-'));
    const path = join(folder, 'users.csv');
    return promisify(execFile)('sh', ['-c', `npm run make-file -- --rows 2 > '${path}'`])
      .then(() => expect(readFileSync(path, 'utf8')).toBe(make({ rows: 2 }).join('')))
      .finally(() => rmSync(folder, { recursive: true }));
  });
});
