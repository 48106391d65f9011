import { readFileSync } from 'node:fs';
import { data, publishDate } from 'currency-codes';
import { describe, expect, it } from 'vitest';
import { currencyFault, ISO_DECIMALS, unitOf } from '../../functions/shared/currencies.ts';

/** ISO's amendments since the package read List One. */
const WITHDRAWN = [
  'ANG', // 176: Caribbean guilder XCG
  'CUC', // 178: Cuba has one peso
  'BGN', // 180: Bulgaria has the euro
];
const ADDED = [
  ['XCG', 2], // 176
  ['XAD', 2], // 179: Arab accounting dinar
] as const;

/** ISO says N.A.; the package says 0. */
const WITHOUT_MINOR_UNIT = 'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX'.split(' ');

describe('the table', () => {
  it('is that of an independent package, but for what ISO has changed since', () => {
    const theirs = data
      .filter(({ code }) => ![...WITHDRAWN, ...WITHOUT_MINOR_UNIT].includes(code))
      .map(({ code, digits }) => [code, digits] as const);

    // A newer package knows the amendments itself: then the differences above go.
    expect(publishDate).toBe('2024-06-25');
    expect(Object.fromEntries(ISO_DECIMALS)).toEqual(Object.fromEntries([...theirs, ...ADDED]));
  });

  it('has each code once: 165 of the 178 in List One have a minor unit', () => {
    expect(ISO_DECIMALS.size).toBe(165);
    expect(Map.groupBy(ISO_DECIMALS.values(), (it) => it)).toEqual(
      new Map([
        [0, Array(17).fill(0)],
        [2, Array(139).fill(2)],
        [3, Array(7).fill(3)],
        [4, Array(2).fill(4)],
      ]),
    );
  });

  it('is what docs/ledger.md says, where it is not two decimals', () => {
    const rows = readFileSync('docs/ledger.md', 'utf8').matchAll(
      /^\| (\d) \| ((?:[A-Z]{3} )+)\|/gm,
    );
    const told = [...rows].flatMap(([, decimals, codes = '']) =>
      codes
        .trim()
        .split(' ')
        .map((code) => [code, Number(decimals)]),
    );

    const rare = [...ISO_DECIMALS].filter(([, decimals]) => decimals !== 2);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(rare));
  });

  it.each(['SLE', 'VED', 'VES', 'XCG', 'ZWG', 'MRU', 'STN'])('has %s', (code) => {
    expect(currencyFault(code)).toBeUndefined();
  });

  it.each(['BGN', 'HRK', 'SLL', 'ZWL', 'ANG', 'CUC', 'DEM', 'BTC', 'XYZ'])(
    'does not have %s, and says how to keep it as an asset',
    (code) => {
      expect(currencyFault(code)).toBe(
        `${code} is no current ISO 4217 code: a tenant asset has decimals, such as ${code}/2`,
      );
      expect(currencyFault(`${code}/2`)).toBeUndefined();
    },
  );

  it.each(WITHOUT_MINOR_UNIT)('refuses %s, which has no minor unit, but as an asset', (code) => {
    expect(currencyFault(code)).toBe(
      `${code} has no minor unit in ISO 4217: use a tenant asset with decimals, such as ${code}/6`,
    );
    expect(currencyFault(`${code}/6`)).toBeUndefined();
  });
});

describe('an asset', () => {
  it('never has the name of a currency, not even with its own decimals', () => {
    for (const [code, decimals] of ISO_DECIMALS) {
      for (const asset of [`${code}/${decimals}`, `${code}/6`]) {
        expect(currencyFault(asset)).toBe(
          `${code} is an ISO 4217 code with ${decimals} decimals: ` +
            `write ${code}, or name the asset otherwise`,
        );
      }
    }
  });

  it.each([
    ['EUR', 'EUR', 2],
    ['JPY', 'JPY', 0],
    ['CLF', 'CLF', 4],
    ['XAU/6', 'XAU', 6],
    ['POINTS2026/0', 'POINTS2026', 0],
    ['ETH/18', 'ETH', 18],
  ])('and a code have a unit: %s is %s with %i decimals', (currency, name, decimals) => {
    expect(unitOf(currency)).toEqual({ name, decimals });
  });

  it('keeps its unit even if ISO names a currency like it one day', () => {
    expect(unitOf('EUR/6')).toEqual({ name: 'EUR', decimals: 6 });
  });

  it.each(['XYZ', 'XAU', ''])('without decimals has none: "%s"', (currency) => {
    expect(() => unitOf(currency)).toThrow('is not a currency');
  });
});
