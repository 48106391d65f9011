import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ACCESS, type Access } from '../../lib/access.ts';
import { costPage } from './cost/pages.ts';
import { dollarsOf, together } from './cost/prices.ts';
import { generatedPart, OUT_OF_DATE } from './generated-part.ts';

it('prices each job by the units that the tests assert, and by the table of prices', () => {
  const wanted = costPage();

  expect(generatedPart('docs/cost.md', 'prices', wanted), OUT_OF_DATE).toBe(wanted);
});

it('adds up what a job uses, and knows each price', () => {
  const both = together({ write: 1, api: 1 }, { write: 2 });

  expect(both).toEqual({ write: 3, api: 1 });
  expect(dollarsOf(both) * 1_000_000).toBeCloseTo(3 * 0.625 + 1);
  expect(dollarsOf(both, ['api']) * 1_000_000).toBeCloseTo(1);
});

it('knows how many functions count what they do, which a scrape reads', () => {
  const counting = Object.values(ACCESS).filter((it: Access) => it.tables?.meters !== undefined);

  expect(readFileSync('docs/cost.md', 'utf8')).toContain(`8 pages of ${counting.length} functions`);
});
