import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { CURRENCY_FORM_FAULT } from '../../functions/shared/currencies.ts';
import { validate } from '../../functions/shared/http/validate.ts';
import { Amount, Balance, Currency } from '../../functions/shared/money-wire.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { AMOUNT_FAULT } from '../../functions/shared/wire.ts';

const Body = z.strictObject({
  currency: Currency.optional(),
  amount: Amount.optional(),
  limit: Balance.optional(),
});

describe('a currency', () => {
  it.each(['EUR', 'JPY', 'BHD', 'XYZ/6', 'AB/0', 'A1/18', `A${'B2'.repeat(8)}/2`, 'XAU/6'])(
    '%s is accepted as it is',
    (currency) => {
      expect(validate(Body, { currency })).toEqual({ currency });
    },
  );

  it.each([
    ['eur', CURRENCY_FORM_FAULT],
    ['', CURRENCY_FORM_FAULT],
    ['EU', CURRENCY_FORM_FAULT],
    ['EURO', CURRENCY_FORM_FAULT],
    ['EUR ', CURRENCY_FORM_FAULT],
    ['EUR\n', CURRENCY_FORM_FAULT],
    ['ЕUR', CURRENCY_FORM_FAULT],
    ['XYZ/', CURRENCY_FORM_FAULT],
    ['XYZ/19', CURRENCY_FORM_FAULT],
    ['XYZ/06', CURRENCY_FORM_FAULT],
    ['XYZ/-1', CURRENCY_FORM_FAULT],
    ['XYZ/6/6', CURRENCY_FORM_FAULT],
    ['xyz/6', CURRENCY_FORM_FAULT],
    ['1YZ/6', CURRENCY_FORM_FAULT],
    ['X/6', CURRENCY_FORM_FAULT],
    [`A${'B2'.repeat(8)}C/2`, CURRENCY_FORM_FAULT],
    ['XXX', 'has no minor unit'],
    ['BGN', 'is no current ISO 4217 code'],
    ['EUR/6', 'write EUR, or name the asset otherwise'],
    ['EUR/2', 'write EUR, or name the asset otherwise'],
    [978, 'must be a string'],
  ])('%j is refused once, with a sentence', (currency, sentence) => {
    const { code, facts } = refusalOf({ currency });

    expect(code).toBe('validation_failed');
    expect(facts.errors).toMatchObject([{ pointer: '/currency', code: 'invalid' }]);
    expect(facts.errors?.[0]?.detail).toContain(sentence);
  });
});

describe('an amount', () => {
  it.each([
    ['1', 1n],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['999999999999999999', 10n ** 18n - 1n],
    ['1000000000000000000', 10n ** 18n],
    [1, 1n],
    [9_007_199_254_740_991, 9_007_199_254_740_991n],
  ])('%j is accepted', (amount, value) => {
    expect(validate(Body, { amount })).toEqual({ amount: value });
  });

  it.each([
    ...['0', '-1', '+1', '01', '1.0', '1e3', '1,000', '0x1', ' 1', '1 ', '1\n', '', 'one', '١'],
    ...['1000000000000000001', '1100000000000000000', '2000000000000000000', '9'.repeat(1_000_000)],
    ...[0, -0, -1, 1.5, 9_007_199_254_740_992, Number.NaN, Number.POSITIVE_INFINITY],
    ...[null, true, [], {}, ['1']],
  ])('%# is refused with invalid_amount', (amount) => {
    const { code, facts } = refusalOf({ amount });

    expect(code).toBe('invalid_amount');
    expect(facts.errors).toEqual([
      { pointer: '/amount', code: 'invalid_amount', detail: AMOUNT_FAULT },
    ]);
  });
});

describe('a balance', () => {
  it.each(['0', '1', '-1', '9'.repeat(30), `-${'9'.repeat(30)}`])('%s is accepted', (limit) => {
    expect(validate(Body, { limit })).toEqual({ limit: BigInt(limit) });
  });

  it.each(['', '-', '-0', '+1', '00', '01', '1.0', '1e3', ' 1', `1${'0'.repeat(30)}`, 1, null])(
    '%j is refused',
    (limit) => {
      expect(refusalOf({ limit }).code).toBe('validation_failed');
    },
  );
});

function refusalOf(body: unknown): Problem {
  try {
    validate(Body, body);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
