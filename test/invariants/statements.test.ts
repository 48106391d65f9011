import { describe, expect, it } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { checkStatements } from '../support/invariants/statements.ts';

const LIMITED = { acc: 'acc_1', ccy: 'EUR', amount: 5, seq: 1, bal: 5, avail: 5 };
const LEDGER: readonly Item[] = [
  {
    id: 'txn_1',
    tenant: 'ten_1',
    ts: 7,
    legs: [{ acc: '@world', ccy: 'EUR', amount: -5 }, LIMITED],
  },
  { id: 'hld_2', tenant: 'ten_1', ts: 8, leg: { ...LIMITED, amount: 0, seq: 2, avail: 3 } },
  { id: 'txn_3', tenant: 'ten_1', ts: 9, status: 'rejected', legs: [] },
];
const line = (pk: string, sk: string, more: Item): Item => ({ pk, sk, ...more });
const FIRST = `7#${'1'.padStart(16, '0')}`;
const SECOND = `8#${'2'.padStart(16, '0')}`;
const STATEMENTS: readonly Item[] = [
  line('ten_1#acc_1', FIRST, { amount: 5, bal: 5, avail: 5 }),
  line('ten_1#acc_1', SECOND, { amount: 0, bal: 5, avail: 3 }),
  line('ten_1#@world:EUR#4', '7#txn_1', { amount: -5 }),
  line('ten_1#@world:EUR#4', 'TOTAL', { sum: -5, lines: 1 }),
];
const without = (index: number) => STATEMENTS.filter((_, at) => at !== index);
const changed = (index: number, more: Item) =>
  STATEMENTS.map((it, at) => (at === index ? { ...it, ...more } : it));

describe('the checker of statements', () => {
  it('is content with statements that equal the journal', () => {
    expect(checkStatements({ ledger: LEDGER, statements: STATEMENTS })).toEqual([]);
  });

  it.each<[string, readonly Item[], string]>([
    ['a line of an account is missing', without(1), 'no line'],
    ['a line of @world is missing', without(2), 'no line'],
    ['a total is missing', without(3), 'total'],
    ['a line has another amount', changed(0, { amount: 6 }), 'instead of'],
    ['a line has another balance', changed(1, { bal: 6 }), 'instead of'],
    ['a line has another availability', changed(1, { avail: 6 }), 'instead of'],
    ['a total has another sum', changed(3, { sum: -6 }), 'total'],
    ['a total has counted twice', changed(3, { lines: 2 }), 'total'],
    [
      'a line comes from nowhere',
      [...STATEMENTS, line('ten_1#acc_1', `9#${'3'.padStart(16, '0')}`, { bal: 5 })],
      'nothing made',
    ],
  ])('says so when %s', (_what, statements, words) => {
    expect(checkStatements({ ledger: LEDGER, statements }).join()).toContain(words);
  });
});
