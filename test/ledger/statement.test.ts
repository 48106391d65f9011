import { describe, expect, it } from 'vitest';
import { gapIn, type StandingLine } from '../../functions/ledger/statement.ts';

const lines = (...seqs: readonly number[]): StandingLine[] =>
  seqs.map((seq) => ({
    tenantId: 'ten_1',
    accountId: 'acc_1',
    currency: 'EUR',
    atMs: seq,
    type: 'credit',
    amount: 1n,
    standing: { seq, balanceAfter: 1n, availableAfter: 1n },
  }));

describe('the lowest gap in a list of lines', () => {
  it.each<[string, number[], { above?: number; isWhole: boolean }, number]>([
    ['none', [5, 4, 3], { isWhole: false }, -1],
    ['none down to the beginning', [3, 2, 1], { isWhole: true }, -1],
    ['none in an empty account', [], { isWhole: true }, -1],
    ['none below what is known', [4, 3], { above: 5, isWhole: false }, -1],
    ['none between the beginning and the first', [], { above: 1, isWhole: true }, -1],
    ['in the middle', [5, 4, 2, 1], { isWhole: true }, 2],
    ['the lower of two', [9, 7, 6, 4], { isWhole: false }, 3],
    ['at the beginning of the account', [4, 3, 2], { isWhole: true }, 3],
    ['above the list', [4, 3], { above: 6, isWhole: false }, 0],
    ['all of it', [], { above: 3, isWhole: true }, 0],
    ['the same line twice', [3, 3, 2], { isWhole: false }, 1],
  ])('%s', (_what, seqs, about, index) => {
    expect(gapIn(lines(...seqs), about)).toBe(index);
  });
});
