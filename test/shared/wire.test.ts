import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { validate } from '../../functions/shared/http/validate.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { Instant, Metadata, toInstant } from '../../functions/shared/wire.ts';

function refusalOf(schema: z.ZodType, value: unknown): Problem {
  try {
    validate(schema, value);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('an instant', () => {
  const Body = z.strictObject({ at: Instant });

  it.each([
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['0000-01-01T23:59:00+23:59', '0000-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T00:00:59.999-23:59', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s, and is written as one that can be sent again', (text, shown) => {
    const { at } = validate(Body, { at: text }) as z.output<typeof Body>;

    expect(toInstant(at)).toBe(shown);
    expect(validate(Body, { at: shown })).toEqual({ at });
  });

  it.each([
    '0000-01-01T00:00:00+00:01',
    '0000-01-01T23:58:59.999+23:59',
    '9999-12-31T00:01:00-23:59',
    '9999-12-31T23:59:59-23:59',
  ])('%s is refused: its year has not four digits in UTC', (at) => {
    const { code, facts } = refusalOf(Body, { at });

    expect(code).toBe('validation_failed');
    expect(facts.errors).toEqual([
      { pointer: '/at', code: 'invalid', detail: 'must be in the years 0000 to 9999 in UTC' },
    ]);
  });
});

describe('metadata', () => {
  const keys = (count: number, value: unknown = 'x') =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, value]));

  it('has 50 keys at most, and of more none is judged', () => {
    expect(validate(Metadata, keys(50))).toEqual(keys(50));
    const { code, facts } = refusalOf(Metadata, keys(51, 1));

    expect(code).toBe('validation_failed');
    expect(facts.errors).toEqual([
      { pointer: '', code: 'invalid', detail: 'has more than 50 keys' },
    ]);
  });

  it.each([
    ['plain text', 'x', 500],
    ['text of three bytes a character', '€', 166],
    ['quotes, of which each is two in JSON', '"', 250],
  ])('has 16 KB in all, as JSON in UTF-8: %s', (_what, char, count) => {
    const full = keys(32, char.repeat(count));
    const { code, facts } = refusalOf(Metadata, { ...full, more: char.repeat(count) });

    expect(Buffer.byteLength(JSON.stringify(full))).toBeGreaterThan(15.8 * 1_024);
    expect(validate(Metadata, full)).toEqual(full);
    expect(code).toBe('validation_failed');
    expect(facts.errors).toEqual([
      { pointer: '', code: 'invalid', detail: 'has more than 16 KB, as JSON in UTF-8' },
    ]);
    expect(Metadata.meta()?.description).toContain('16 KB in all, as JSON in UTF-8');
  });
});
