import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PROBLEMS } from '../../functions/shared/problem.ts';

const [introduction = '', ...sections] = readFileSync('docs/problems.md', 'utf8').split(/^## /m);

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

it('names the codes that no call answers yet', () => {
  const files = globSync('functions/**/*.ts').filter((it) => !it.endsWith('shared/problem.ts'));
  const code = files.map((it) => readFileSync(it, 'utf8')).join('\n');
  const unused = Object.keys(PROBLEMS).filter((it) => !code.includes(`'${it}'`));
  const [, list = ''] = introduction.split('no call yet that answers');

  expect([...list.matchAll(/`(\w+)`/g)].map(([, it]) => it)).toEqual(unused);
});
