import type { Leg } from '../ledger/account.ts';
import type { Transaction } from '../ledger/transaction.ts';
import { negate, sumByCurrency } from '../shared/money.ts';
import type { Finding } from './audit.ts';
import { factsOf, type JournalRecord } from './journal-record.ts';

/** L1: legs that do not sum to zero, or are not what the postings say. */
export function sumFaults({ id, legs, postings }: Transaction): Finding[] {
  const unequal = [...sumByCurrency(legs)].filter(([, sum]) => sum !== 0n);
  if (unequal.length > 0) {
    const detail = unequal
      .map(([currency, sum]) => `its legs sum to ${sum} ${currency}`)
      .join('; ');
    return [{ invariant: 'L1', id, detail }];
  }
  const asked = new Map<string, bigint>();
  const add = (name: string, amount: bigint) => asked.set(name, (asked.get(name) ?? 0n) + amount);
  for (const { sourceId, destinationId, currency, amount } of postings) {
    add(`${sourceId} ${currency}`, -amount);
    add(`${destinationId} ${currency}`, amount);
  }
  for (const { accountId, currency, amount } of legs) add(`${accountId} ${currency}`, -amount);
  const other = [...asked].filter(([, rest]) => rest !== 0n).map(([name]) => name);
  if (other.length === 0) return [];
  return [
    { invariant: 'L1', id, detail: `its legs differ from its postings: ${other.join(', ')}` },
  ];
}

/** Where a record lies, and where its id says that it lies. */
export interface Place {
  readonly pk: string;
  readonly expectedPk: string;
}

/**
 * L4: a record that does not lie where its id says, so that its key would not meet it again; or
 * that moves an account twice.
 */
export function effectFaults(record: JournalRecord, { pk, expectedPk }: Place): Finding[] {
  const { id, legs } = factsOf(record);
  const names = legs.map((it) => `${it.accountId} ${it.currency}`);
  const twice = [...new Set(names.filter((it, at) => names.indexOf(it) !== at))];
  const faults = [
    ...(pk === expectedPk ? [] : ['it does not lie where its key finds it']),
    ...twice.map((it) => `it moves ${it} twice`),
  ];
  return faults.map((detail) => ({ invariant: 'L4', id, detail }));
}

/** What a reversal names, as it is. */
export interface Reversed {
  readonly original: Transaction | undefined;
  /** The reversal that the original knows of. */
  readonly reversedBy: string | undefined;
}

/** L5: a reversal of nothing, a second one, or one that is not exactly negative. */
export function reversalFaults(
  reversal: Transaction,
  { original, reversedBy }: Reversed,
): Finding[] {
  const { id, reverses } = reversal;
  const tell = (detail: string): Finding[] => [{ invariant: 'L5', id, detail }];
  if (reverses === undefined)
    return reversal.type === 'reversal' ? tell('it reverses nothing') : [];
  if (original?.status !== 'posted') return tell(`${reverses}, which it reverses, was not posted`);
  if (original.type === 'reversal') return tell(`${reverses}, which it reverses, is a reversal`);
  if (reversedBy !== id) {
    const other =
      reversedBy === undefined ? 'knows of no reversal' : `was reversed by ${reversedBy}`;
    return tell(`${reverses} ${other}`);
  }
  const opposite = original.legs.map((it) => ({ ...it, ...negate(it) }));
  const isNegative = amountsOf(opposite) === amountsOf(reversal.legs);
  return isNegative ? [] : tell(`it is not exactly the negative of ${reverses}`);
}

/** What a transaction knows of its reversal, and the record with that id. */
export interface Marked {
  readonly reversalId: string | undefined;
  readonly reversal: Transaction | undefined;
}

/**
 * L5: a transaction that is marked as reversed by what has not reversed it, so that nothing ever
 * can.
 */
export function markerFaults({ id }: Transaction, { reversalId, reversal }: Marked): Finding[] {
  if (reversalId === undefined) return [];
  if (reversal?.status === 'posted' && reversal.reverses === id) return [];
  const detail = `it is marked as reversed by ${reversalId}, which has not reversed it`;
  return [{ invariant: 'L5', id, detail }];
}

function amountsOf(legs: readonly Leg[]): string {
  return legs
    .map((it) => `${it.accountId} ${it.currency} ${it.amount}`)
    .toSorted()
    .join();
}
