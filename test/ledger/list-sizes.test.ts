import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient, told } from './ledger-client.ts';
import { storeCopies } from './list-fixtures.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ledger = ledgerClient(world, newTenant(world));
  a = await ledger.open({}, '1000');
});

const currency = 'EUR';
const idsOf = (data: readonly { readonly id: string }[]) => data.map((it) => it.id);

describe('a list of huge transactions', () => {
  const MB = 1_000_000;

  it.each(['', 'reference=r', 'account'])(
    'ends its pages before an answer is too large: %s',
    async (by) => {
      const filter = by === 'account' ? `accountId=${a}` : by;
      const ids = await storeCopies(world, { tenantId: ledger.tenantId, accountId: a, count: 110 });
      const seen: string[] = [];
      const sizes: number[] = [];
      let cursor = '';
      do {
        const { body } = await ledger.get(`/v1/transactions?limit=100&${filter}${cursor}`);
        sizes.push(Buffer.byteLength(JSON.stringify(JSON.stringify(body))));
        seen.push(...idsOf(body.data));
        cursor = body.hasMore ? `&cursor=${String(body.nextCursor)}` : '';
      } while (cursor);

      // What the account was funded with is no copy.
      expect(seen.filter((it) => ids.includes(it))).toEqual(ids.toReversed());
      expect(new Set(seen).size).toBe(seen.length);
      expect(Math.max(...sizes)).toBeLessThan(5.5 * MB);
      expect(sizes[0]).toBeGreaterThan(5 * MB);
      expect(sizes.length).toBe(2);
    },
  );
});

describe('a list that is too long', () => {
  const fill = (length: number) => Array.from({ length }, () => ({}));

  it.each([true, false])(
    'of a batch is refused before anything in it (atomic: %s)',
    async (atomic) => {
      const answer = await ledger.post('/v1/transactions/batch', {
        atomic,
        transactions: fill(101),
      });

      expect(told(answer)).toBe('413 payload_too_large');
      expect(answer.body.detail).toBe('/transactions may have 100 at most.');
    },
  );

  it.each([
    ['postings', { type: 'journal', postings: fill(101) }],
    ['preconditions', { type: 'credit', preconditions: fill(21), amount: '1', currency }],
  ])('of %s is one fault', async (name, body) => {
    const answer = await ledger.post('/v1/transactions', { accountId: undefined, ...body });

    expect(told(answer)).toBe('422 validation_failed');
    const pointers = answer.body.errors?.map((it) => it.pointer);
    expect(pointers?.filter((it) => it.startsWith(`/${name}`))).toEqual([`/${name}`]);
  });
});
