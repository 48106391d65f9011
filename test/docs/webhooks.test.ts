import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';

it.each([
  ['examples/node/verify.mjs', 'js'],
  ['examples/python/verify.py', 'python'],
  ['examples/go/verify.go', 'go'],
])('docs/webhooks.md shows %s as it is', (file, language) => {
  const wanted = `\n\`\`\`${language}\n${readFileSync(file, 'utf8')}\`\`\`\n\n`;

  expect(generatedPart('docs/webhooks.md', file, wanted), OUT_OF_DATE).toBe(wanted);
});
