import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { validate } from '../../../functions/shared/http/validate.ts';
import { Amount, Currency } from '../../../functions/shared/money-wire.ts';
import { EventType, Metadata, PageQuery, text } from '../../../functions/shared/wire.ts';

const Body = z.strictObject({
  name: text(1, 3),
  amount: Amount,
  list: z.array(Currency).optional(),
});

describe('validate', () => {
  it('answers the decoded value', () => {
    expect(validate(Body, { name: 'a', amount: '12' })).toEqual({ name: 'a', amount: 12n });
  });

  it.each([
    [{ amount: '1' }, 'validation_failed', ['/name required']],
    [{ name: 'a' }, 'validation_failed', ['/amount required']],
    [{ name: 'abcd', amount: '1' }, 'validation_failed', ['/name invalid']],
    [{ name: [], amount: '1' }, 'validation_failed', ['/name invalid']],
    [{ name: 'a\0', amount: '1' }, 'validation_failed', ['/name invalid']],
    [{ name: '\ud800', amount: '1' }, 'validation_failed', ['/name invalid']],
    [{ name: 'a', amount: '0' }, 'invalid_amount', ['/amount invalid_amount']],
    [{ name: 'a', amount: null }, 'invalid_amount', ['/amount invalid_amount']],
    [{ name: 'a', amount: '1', 'x/~y': 1 }, 'validation_failed', ['/x~1~0y unknown_field']],
    [{ name: 'a', amount: '1', list: ['EUR', 'x'] }, 'validation_failed', ['/list/1 invalid']],
    [[], 'validation_failed', [' invalid']],
    [null, 'validation_failed', [' invalid']],
  ])('refuses %j as %s at %j', (value, code, faults) => {
    const problem = refusalOf(() => validate(Body, value));

    expect(problem.code).toBe(code);
    expect(problem.facts.errors.map((it) => `${it.pointer} ${it.code}`)).toEqual(faults);
  });
});

describe('validate of a query', () => {
  const Query = z.strictObject({
    ...PageQuery,
    status: z
      .string()
      .transform((it) => it.split(','))
      .pipe(z.array(z.enum(['held']))),
  });

  it.each([
    [{ status: 'held', limit: '100' }, undefined],
    [{ status: 'held', limit: '101' }, '?limit invalid'],
    [{ status: 'held', limit: '0x10' }, '?limit invalid'],
    [{ status: 'held', limit: '1e1' }, '?limit invalid'],
    [{ status: 'foo' }, '?status/0 invalid'],
    [{}, '?status required'],
    [{ status: 'held', more: '1' }, '?more unknown_field'],
  ])('of %j names %s', (query, fault) => {
    if (fault === undefined)
      return expect(validate(Query, query, '?')).toMatchObject({ limit: 100 });
    const [error] = refusalOf(() => validate(Query, query, '?')).facts.errors;
    expect(`${error?.pointer} ${error?.code}`).toBe(fault);
  });
});

// Both sides of each limit.
describe('wire types', () => {
  it.each([
    [Amount, '1', true],
    [Amount, '0', false],
    [Amount, '1000000000000000000', true],
    [Amount, '1000000000000000001', false],
    [Amount, 9_007_199_254_740_991, true],
    [Amount, 9_007_199_254_740_992, false],
    [Amount, '+1', false],
    [Amount, ' 1', false],
    [Amount, '1.0', false],
    [Amount, '١', false],
    [Currency, 'EUR', true],
    [Currency, 'eur', false],
    [EventType, 'order.paid', true],
    [EventType, 'order', true],
    [EventType, 'order.', false],
    [EventType, 'Order.paid', false],
    [EventType, `a${'.b'.repeat(49)}c`, true],
    [EventType, `a${'.b'.repeat(50)}`, false],
    [Metadata, Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, ''])), true],
    [Metadata, Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`k${n}`, ''])), false],
    [Metadata, { ['k'.repeat(41)]: '' }, false],
    [Metadata, { k: 'v'.repeat(500) }, true],
    [Metadata, { k: 'v'.repeat(501) }, false],
  ])('%# accepts or refuses at its limit', (schema, value, accepted) => {
    expect(schema.safeParse(value).success).toBe(accepted);
  });
});

interface Refusal {
  readonly code: string;
  readonly facts: {
    readonly errors: readonly { readonly pointer: string; readonly code: string }[];
  };
}

function refusalOf(act: () => unknown): Refusal {
  try {
    act();
  } catch (error) {
    return error as Refusal;
  }
  throw new Error('it was not refused');
}
