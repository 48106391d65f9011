import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Source } from './support/source.ts';
import { MACHINE_PATH, offencesOf, TIDY_RULES } from './support/tidy-rules.ts';

const SOURCES = new Map<string, Source>();

/** Each file is parsed once, whichever rules read it. */
function sourcesIn(where: string): Source[] {
  return globSync(where).map((path) => {
    const source = SOURCES.get(path) ?? Source.read(path);
    SOURCES.set(path, source);
    return source;
  });
}

describe.each(TIDY_RULES)('$title', (rule) => {
  it('holds', () => {
    const sources = sourcesIn(rule.where);
    const offences = sources.flatMap((source) =>
      rule.offences(source).map((it) => `${source.path}:${it}`),
    );

    expect(sources, 'the rule guards nothing').not.toEqual([]);
    expect(offences).toEqual([]);
  });

  it.each(rule.planted)('catches what is planted in %s: %j', (path, text) => {
    expect(offencesOf(rule, path, text)).not.toEqual([]);
  });
});

it('no page or setting writes down a path of one machine', () => {
  const files = globSync(['*.md', '*.json', 'docs/**/*.md', '.ci/*', 'bench/*.md']);

  expect(files, 'the rule guards nothing').not.toEqual([]);
  expect(files.filter((file) => MACHINE_PATH.test(readFileSync(file, 'utf8')))).toEqual([]);
});
