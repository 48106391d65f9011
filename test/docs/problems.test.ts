import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PROBLEMS } from '../../functions/shared/problem.ts';

const sections = readFileSync('docs/problems.md', 'utf8').split(/^## /m).slice(1);

it('has one section per code, with its status', () => {
  const described = sections.map((it) =>
    it
      .match(/^(\w+)\n(\d{3})\./)
      ?.slice(1, 3)
      .join(' '),
  );
  const known = Object.entries(PROBLEMS).map(([code, { status }]) => `${code} ${status}`);

  expect(described.toSorted()).toEqual(known.toSorted());
});
