import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
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
