import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { allRoutes } from '../../functions/operations/all-routes.ts';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';

it.each([
  ['examples/node/verify.mjs', 'js'],
  ['examples/python/verify.py', 'python'],
  ['examples/go/verify.go', 'go'],
])('docs/webhooks.md shows %s as it is', (file, language) => {
  const wanted = `\n\`\`\`${language}\n${readFileSync(file, 'utf8')}\`\`\`\n\n`;

  expect(generatedPart('docs/webhooks.md', file, wanted), OUT_OF_DATE).toBe(wanted);
});

it('docs/webhooks.md names only routes that there are', () => {
  const routes = new Set(allRoutes.map(({ method, path }) => `${method} ${path}`));
  const page = readFileSync('docs/webhooks.md', 'utf8');
  const named = [...page.matchAll(/`((?:GET|POST|PATCH|DELETE) \/[^`?\s]*)/g)].map(([, it]) => it);

  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((it) => !routes.has(it ?? ''))).toEqual([]);
});
