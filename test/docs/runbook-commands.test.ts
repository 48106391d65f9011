import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readFlags } from '../../bin/ops/command.ts';
import { COMMANDS } from '../../bin/ops/commands.ts';

const DOCS = ['README.md', ...readdirSync('docs').map((it) => `docs/${it}`)];

/** `npm run ops -- redrive tasks`, wherever a page says it; quotes and brackets make one word. */
function callsIn(path: string): [path: string, words: readonly string[]][] {
  if (!path.endsWith('.md')) return [];
  const text = readFileSync(path, 'utf8').replaceAll(/\s+/g, ' ');
  const calls = [...text.matchAll(/npm run ops -- ([^`|#]+)/g)];
  return calls.map(([, call = '']) => [path, call.match(/"[^"]*"|<[^>]*>|[^ ]+/g) ?? []]);
}

const CALLS = DOCS.flatMap(callsIn);

it('is said on several pages what an operator calls', () => {
  expect(CALLS.length).toBeGreaterThan(10);
});

it.each(CALLS)('%s names a command and its flags: %j', async (_path, [name, ...args]) => {
  if (name === '<command>') return;
  const listed = COMMANDS.find((it) => it.name === name);
  expect(listed, `there is no command ${name}`).toBeDefined();
  const command = await listed?.load();
  // In a block, the next line follows: it is a call of its own.
  const end = args.indexOf('npm');
  const own = end < 0 ? args : args.slice(0, end);
  // Two stages in one account: without a name it would be about either.
  if (own.includes('--aws')) expect(own).toContain('--stack');
  expect(() => readFlags(command ?? { flags: {}, wordsMax: 0 }, own)).not.toThrow();
});
