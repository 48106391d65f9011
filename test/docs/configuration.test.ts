import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ACCESS, type Access } from '../../lib/access.ts';
import { optionVariable } from '../../lib/kit/grants.ts';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';
import { optionList } from './option-list.ts';

const FILE = 'docs/configuration.md';

it('lists every option with the default and range that functions/shared/config.ts has', () => {
  const wanted = optionList();

  expect(generatedPart(FILE, 'options', wanted), OUT_OF_DATE).toBe(wanted);
});

it('shows the flags that npm start knows', () => {
  const usage = execFileSync(process.execPath, ['local/start.ts', '--help'], { encoding: 'utf8' });
  const wanted = `\n\`\`\`text\n${usage}\`\`\`\n\n`;

  expect(generatedPart(FILE, 'flags', wanted), OUT_OF_DATE).toBe(wanted);
});

it('names every variable that a function is told', () => {
  const [, told = ''] = readFileSync(FILE, 'utf8').split('## What a function is told');
  const options = Object.values(ACCESS).flatMap((it: Access) => it.options ?? []);
  const names = ['TABLE', 'QUEUE', 'PARKED', 'SECRET'].map((kind) => `${kind}_<NAME>`);
  const others = ['BUCKET_FILES', 'BUILD', 'LOG_LEVEL', 'STAGE', ...options.map(optionVariable)];
  const missing = [...new Set([...names, ...others])].filter((it) => !told.includes(`\`${it}\``));

  expect(missing).toEqual([]);
});
