import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

/** Begins the command as a shell does. */
const begin = (...args: readonly string[]) => spawn('node', ['bin/ops.ts', ...args]);

async function outputOf(...args: readonly string[]): Promise<string> {
  return text(begin(...args).stdout);
}

it('helps by any of the words that people try', async () => {
  const help = await outputOf('audit', '--help');
  expect(help).toMatch(/^Usage: npm run ops -- audit /);
  expect(await outputOf('help', 'audit')).toBe(help);
  expect(await outputOf('audit', '-h')).toBe(help);
  const overview = await outputOf();
  expect(overview).toContain('  audit ');
  for (const word of ['-h', 'help']) expect(await outputOf(word, 'help')).toBe(overview);
});

it('stops with a line and without a stack when nobody takes what it prints', async () => {
  const child = begin('--help');
  child.stdout.destroy();
  const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(errors).toMatch(/^ops: nobody takes what it prints \(.*EPIPE.*\)\n$/);
  expect(code).toBe(2);
});
