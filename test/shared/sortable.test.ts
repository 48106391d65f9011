import { describe, expect, it } from 'vitest';
import { msOfSortable, sortableMs } from '../../functions/shared/sortable.ts';

describe('sortableMs', () => {
  const times = [
    ...['0000-01-01', '1969-12-31', '1970-01-01', '2001-09-09', '2026-11-21', '2286-11-20'],
    ...['2300-01-01', '9999-12-31'],
  ].map((it) => Date.parse(`${it}T00:00:00Z`));

  it('sorts as time does, whatever time somebody asks for', () => {
    const texts = times.map(sortableMs);

    expect(texts.toSorted()).toEqual(texts);
    expect(new Set(texts.map((it) => it.length))).toEqual(new Set([13]));
  });

  it.each([0, 1, 1_795_262_410_000, 9_999_999_999_999])('keeps %i', (ms) => {
    expect(msOfSortable(`${sortableMs(ms)}#more`)).toBe(ms);
  });
});
