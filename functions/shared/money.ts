import { unitOf } from './currencies.ts';

/**
 * Integer minor units of one currency; negative is owed. A posting and a leg are money too, so
 * these functions take them as they are.
 */
export interface Money {
  readonly amount: bigint;
  readonly currency: string;
}

/** The most that one posting moves. */
export const AMOUNT_MAX = 10n ** 18n;

/** No balance is further from 0. The numbers of DynamoDB are exact to 38 digits; these have 30. */
export const BALANCE_MAX = 10n ** 30n - 1n;

/** The sum. Two currencies have none: to ask for it is a bug of the caller. */
export function add(a: Money, b: Money): Money {
  if (a.currency !== b.currency) throw new Error('two currencies are not added');
  return { amount: a.amount + b.amount, currency: a.currency };
}

/** As much in the other direction. */
export function negate({ amount, currency }: Money): Money {
  return { amount: -amount, currency };
}

/** The sum of each currency that occurs, also where it is 0. */
export function sumByCurrency(all: Iterable<Money>): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const { amount, currency } of all) {
    sums.set(currency, (sums.get(currency) ?? 0n) + amount);
  }
  return sums;
}

/** For people: `-0.05 EUR`, `1500 JPY`, `1.000000 XYZ`. Never parsed. */
export function formatMinor(minor: bigint, currency: string): string {
  const { name, decimals } = unitOf(currency);
  const digits = String(minor < 0n ? -minor : minor).padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = decimals === 0 ? '' : `.${digits.slice(-decimals)}`;
  return `${minor < 0n ? '-' : ''}${whole}${fraction} ${name}`;
}
