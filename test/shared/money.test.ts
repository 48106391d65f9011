import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ISO_DECIMALS, unitOf } from '../../functions/shared/currencies.ts';
import {
  AMOUNT_MAX,
  add,
  BALANCE_MAX,
  formatMinor,
  type Money,
  negate,
  sumByCurrency,
} from '../../functions/shared/money.ts';
import { Amount, Balance } from '../../functions/shared/money-wire.ts';

const minor = fc.bigInt({ min: -BALANCE_MAX, max: BALANCE_MAX });
const currency = fc.constantFrom('XYZ/0', 'XYZ/6', 'XYZ/18', ...ISO_DECIMALS.keys());
const eur = (amount: bigint): Money => ({ amount, currency: 'EUR' });
const euros = minor.map(eur);
const nothing = eur(0n);

/** Holds for hundreds of values, most of which no double could hold. */
function law<Drawn>(values: fc.Arbitrary<Drawn>, holds: (drawn: Drawn) => void): void {
  const property = fc.property(values, (drawn) => {
    holds(drawn);
  });
  fc.assert(property, { numRuns: 500 });
}

describe('money', () => {
  it('is added in any order', () => {
    law(fc.tuple(euros, euros), ([a, b]) => expect(add(a, b)).toEqual(add(b, a)));
    law(fc.tuple(euros, euros, euros), ([a, b, c]) =>
      expect(add(add(a, b), c)).toEqual(add(a, add(b, c))),
    );
  });

  it('has a zero and an inverse', () => {
    law(euros, (a) => {
      expect(add(a, nothing)).toEqual(a);
      expect(add(a, negate(a))).toEqual(nothing);
      expect(negate(negate(a))).toEqual(a);
    });
  });

  it('comes back when what was added is taken away', () => {
    law(fc.tuple(euros, euros), ([a, b]) => expect(add(add(a, b), negate(b))).toEqual(a));
  });

  it('is exact where a double is not', () => {
    law(euros, (a) => {
      const more = add(a, eur(1n));
      expect(more.amount - a.amount).toBe(1n);
    });
    expect(add(eur(2n ** 53n), eur(1n)).amount).toBe(9_007_199_254_740_993n);
  });

  it('of two currencies is never mixed', () => {
    const usd = { amount: 1n, currency: 'USD' };

    expect(() => add(eur(1n), usd)).toThrow('two currencies');
    expect(() => add(usd, eur(0n))).toThrow('two currencies');
  });
});

describe('sumByCurrency', () => {
  const money = fc.record({ amount: minor, currency });

  it('of parts is the whole, in whatever currencies and order they come', () => {
    const wholes = fc.uniqueArray(money, { selector: (it) => it.currency, maxLength: 5 });
    law(fc.tuple(wholes, fc.array(minor, { maxLength: 9 }), fc.nat()), ([all, cuts, turn]) => {
      const parts = all.flatMap((whole) => {
        const taken = cuts.map((amount) => ({ ...whole, amount }));
        return [...taken, taken.map(negate).reduce(add, whole)];
      });
      const mixed = parts.map((_part, at) => parts[(at + turn) % parts.length] as Money);

      const sums = Object.fromEntries(all.map((it) => [it.currency, it.amount]));
      expect(Object.fromEntries(sumByCurrency(mixed))).toEqual(sums);
    });
  });

  it('of both sides of each posting is zero', () => {
    law(fc.array(money), (credits) => {
      const sums = sumByCurrency(credits.flatMap((it) => [it, negate(it)]));

      expect([...sums.keys()].sort()).toEqual(
        [...new Set(credits.map((it) => it.currency))].sort(),
      );
      expect([...sums.values()].every((it) => it === 0n)).toBe(true);
    });
  });
});

describe('formatMinor', () => {
  it.each([
    [1234n, 'EUR', '12.34 EUR'],
    [-5n, 'EUR', '-0.05 EUR'],
    [0n, 'EUR', '0.00 EUR'],
    [100n, 'EUR', '1.00 EUR'],
    [1500n, 'JPY', '1500 JPY'],
    [-1n, 'JPY', '-1 JPY'],
    [1n, 'KWD', '0.001 KWD'],
    [12345n, 'CLF', '1.2345 CLF'],
    [1_000_000n, 'XYZ/6', '1.000000 XYZ'],
    [7n, 'POINTS/0', '7 POINTS'],
    [-1n, 'ETH/18', '-0.000000000000000001 ETH'],
    [BALANCE_MAX, 'EUR', '9999999999999999999999999999.99 EUR'],
  ])('writes %d of %s as %s', (amount, of, text) => {
    expect(formatMinor(amount, of)).toBe(text);
  });

  it('loses nothing: without its point it is the number of minor units', () => {
    law(fc.tuple(minor, currency), ([amount, of]) => {
      const { name, decimals } = unitOf(of);
      const text = formatMinor(amount, of);

      expect(text).toMatch(
        new RegExp(`^-?(0|[1-9]\\d*)${decimals === 0 ? '' : `\\.\\d{${decimals}}`} ${name}$`),
      );
      expect(BigInt(text.slice(0, -name.length - 1).replace('.', '')), text).toBe(amount);
    });
  });
});

describe('on the wire', () => {
  it('an amount comes through exactly, as text and as far as it may be a number', () => {
    law(fc.bigInt({ min: 1n, max: AMOUNT_MAX }), (amount) => {
      expect(Amount.parse(String(amount))).toBe(amount);
      const { success } = Amount.safeParse(Number(amount));
      expect(success).toBe(amount <= BigInt(Number.MAX_SAFE_INTEGER));
    });
  });

  it('a balance comes through exactly, with its sign', () => {
    law(minor, (amount) => expect(Balance.parse(String(amount))).toBe(amount));
  });
});
