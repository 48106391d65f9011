import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestWorld, testWorld } from '../support/world.ts';
import {
  faultsOf,
  freshLedger,
  type LedgerBody,
  type LedgerClient,
  told,
} from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
let b: string;
let c: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ({ ledger, a, b } = await freshLedger(world, '100'));
  c = await ledger.open();
});

const currency = 'EUR';
const transfer = (
  sourceAccountId: string,
  destinationAccountId: string,
  amount: string,
  more: object = {},
) => ({ type: 'transfer', sourceAccountId, destinationAccountId, amount, currency, ...more });
const together = (transactions: readonly object[], key?: string | null) =>
  ledger.post('/v1/transactions/batch', { atomic: true, transactions }, key);
const each = (transactions: readonly object[]) =>
  ledger.post('/v1/transactions/batch', { atomic: false, transactions }, null);
const one = (body: object, key: string) => ledger.post('/v1/transactions', body, key);
const balances = async () =>
  Promise.all([a, b, c].map(async (it) => (await ledger.account(it)).balance));

describe('an atomic batch', () => {
  it('is judged in its order, each on what those before it left', async () => {
    const { status, body } = await together([
      transfer(a, b, '100'),
      transfer(b, c, '60'),
      transfer(c, a, '10'),
    ]);

    expect(status).toBe(201);
    expect(body.transactions.map((it) => it.entries)).toMatchObject([
      [
        { accountId: a, balanceAfter: '0', seq: 2 },
        { accountId: b, balanceAfter: '100', seq: 1 },
      ],
      [
        { accountId: b, balanceAfter: '40', seq: 2 },
        { accountId: c, balanceAfter: '60', seq: 1 },
      ],
      [
        { accountId: c, balanceAfter: '50', seq: 2 },
        { accountId: a, balanceAfter: '10', seq: 3 },
      ],
    ]);
    expect(await balances()).toEqual(['10', '40', '50']);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('refuses the other order, all of it, with the place of the first fault', async () => {
    const refused = await together([transfer(b, c, '60'), transfer(a, b, '100')], 'k');

    expect(told(refused)).toBe('422 insufficient_funds');
    expect(refused.body.errors).toMatchObject([{ pointer: '/transactions/0' }]);
    expect(await balances()).toEqual(['100', '0', '0']);
  });

  it('remembers its refusal under its key', async () => {
    const batch = [transfer(a, b, '1'), transfer(a, b, '100')];
    const first = await together(batch, 'k');
    await one({ type: 'credit', accountId: a, amount: '1', currency }, 'more');
    const again = await together(batch, 'k');

    expect([told(first), first.replayed]).toEqual(['422 insufficient_funds', false]);
    expect([told(again), again.replayed]).toEqual(['422 insufficient_funds', true]);
    expect(again.body.errors).toEqual(first.body.errors);
    expect(again.body.errors).toMatchObject([{ pointer: '/transactions/1' }]);
    expect(await balances()).toEqual(['101', '0', '0']);
  });

  it.each([
    [
      'a precondition',
      { preconditions: [{ accountId: 'b', version: 1 }] },
      '412 precondition_failed',
      '/preconditions/0/version',
    ],
    ['two equal sides', { destinationAccountId: 'a' }, '422 same_account', '/destinationAccountId'],
  ] as const)('leaves its key free after %s', async (_what, over, answer, pointer) => {
    const names = { a, b };
    const named = JSON.parse(JSON.stringify(over), (key, value) =>
      key.endsWith('ccountId') ? names[value as 'a' | 'b'] : value,
    );
    const refused = await together([transfer(a, c, '1'), transfer(a, b, '1', named)], 'k');

    expect(told(refused)).toBe(answer);
    expect(refused.body.errors).toMatchObject([{ pointer: `/transactions/1${pointer}` }]);
    expect(told(await together([transfer(a, b, '1')], 'k'))).toBe('201');
  });

  it('sees the versions that it has made itself', async () => {
    const preconditions = [{ accountId: a, version: 2 }];

    const answer = await together([transfer(a, b, '1'), transfer(a, b, '1', { preconditions })]);

    expect(told(answer)).toBe('201');
  });

  it('is answered again with all of its transactions', async () => {
    const batch = [transfer(a, b, '1'), transfer(a, c, '2')];
    const first = await together(batch, 'k');
    const again = await together(batch, 'k');

    expect([again.status, again.replayed, again.body]).toEqual([201, true, first.body]);
    expect(told(await together([transfer(a, b, '1')], 'k'))).toBe('422 idempotency_key_reused');
    expect(told(await one(transfer(a, b, '1'), 'k'))).toBe('422 idempotency_key_reused');
  });

  it('is posted once by ten parallel copies', async () => {
    const batch = [transfer(a, b, '1'), transfer(a, c, '2')];

    const all = await Promise.all(Array.from({ length: 10 }, () => together(batch, 'k')));

    expect(new Set(all.map((it) => JSON.stringify([it.status, it.body]))).size).toBe(1);
    expect(await balances()).toEqual(['97', '1', '2']);
  });

  it('needs a key of its own, and none inside', async () => {
    expect(told(await together([transfer(a, b, '1')], null))).toBe('400 idempotency_key_required');
    const inside = await together([transfer(a, b, '1', { idempotencyKey: 'x' })]);
    expect(told(inside)).toBe('422 validation_failed');
  });

  it('has transactions that can be read and reversed one by one', async () => {
    const { body } = await together([transfer(a, b, '1'), transfer(a, b, '2')]);
    const [, second] = body.transactions;
    const path = `/v1/transactions/${second?.id}`;

    expect((await ledger.get(path)).body).toEqual(second);
    expect(told(await ledger.post(`${path}/reversals`, {}))).toBe('201');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  // Two items for each transaction and one for each account: 2 × 49 + 2 and 2 × 50 + 1.
  it.each([
    [49, 2, '201'],
    [49, 3, '422 batch_too_large'],
    [50, 1, '422 batch_too_large'],
    [48, 4, '201'],
    [48, 5, '422 batch_too_large'],
  ])('of %i transactions on %i accounts answers %s', async (count, accounts, answer) => {
    const more = await Promise.all(Array.from({ length: accounts - 1 }, () => ledger.open()));
    const batch = Array.from({ length: count }, (_, n) =>
      transfer(a, more[n % more.length] ?? '@world', '1'),
    );

    expect(told(await together(batch, 'k'))).toBe(answer);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('has a hundred transactions at most', async () => {
    const batch = Array.from({ length: 101 }, () => transfer(a, b, '1'));

    expect(told(await together(batch))).toBe('413 payload_too_large');
    expect(told(await together([]))).toBe('422 validation_failed');
  });
});

describe('a batch that is not atomic', () => {
  const keyed = (idempotencyKey: string, body: object) => ({ ...body, idempotencyKey });
  const resultsOf = ({ body }: { body: LedgerBody }) =>
    body.results.map((it) => [it.status, it.replayed, it.problem?.code].join(' ').trim());

  it('answers each by itself, in order', async () => {
    const answer = await each([
      keyed('k-1', transfer(a, b, '60')),
      keyed('k-2', transfer(a, b, '60')),
      keyed('k-3', transfer(b, c, '60')),
      keyed('k-4', transfer(a, `acc_${'0'.repeat(26)}`, '1')),
      keyed('k-5', transfer(a, a, '1')),
    ]);

    expect(answer.status).toBe(200);
    expect(resultsOf(answer)).toEqual([
      '201 false',
      '422 false insufficient_funds',
      '201 false',
      '404 false not_found',
      '422 false same_account',
    ]);
    expect(answer.body.results[4]?.problem.errors).toMatchObject([
      { pointer: '/destinationAccountId' },
    ]);
    expect(await balances()).toEqual(['40', '0', '60']);
  });

  it('shares its keys with single transactions, both ways', async () => {
    const alone = await one(transfer(a, b, '1'), 'k-1');
    const batch = await each([
      keyed('k-1', transfer(a, b, '1')),
      keyed('k-2', transfer(a, b, '2')),
      keyed('k-1', transfer(a, b, '3')),
    ]);
    const later = await one(transfer(a, b, '2'), 'k-2');

    expect(resultsOf(batch)).toEqual(['201 true', '201 false', '422 false idempotency_key_reused']);
    expect(batch.body.results[0]?.transaction).toEqual(alone.body);
    expect([later.replayed, later.body]).toEqual([true, batch.body.results[1]?.transaction]);
    expect(await balances()).toEqual(['97', '3', '0']);
  });

  it('posts a key that comes twice in it once', async () => {
    const batch = await each([
      keyed('k', transfer(a, b, '5')),
      keyed('k', transfer(a, b, '5')),
      keyed('r', transfer(a, b, '500')),
      keyed('r', transfer(a, b, '500')),
    ]);

    expect(resultsOf(batch)).toEqual([
      '201 false',
      '201 true',
      '422 false insufficient_funds',
      '422 true insufficient_funds',
    ]);
    expect(await balances()).toEqual(['95', '5', '0']);
  });

  it('posts nothing where a key is missing, and says where', async () => {
    const refused = await each([keyed('k', transfer(a, b, '5')), transfer(a, b, '5')]);

    expect(told(refused)).toBe('422 validation_failed');
    expect(refused.body.errors).toMatchObject([{ pointer: '/transactions/1/idempotencyKey' }]);
    expect(await balances()).toEqual(['100', '0', '0']);
  });

  it('is repeated as a whole with what it came to', async () => {
    const batch = [keyed('k-1', transfer(a, b, '5')), keyed('k-2', transfer(a, b, '500'))];
    const first = await each(batch);
    const again = await each(batch);

    expect(resultsOf(again)).toEqual(['201 true', '422 true insufficient_funds']);
    expect(again.body.results[0]?.transaction).toEqual(first.body.results[0]?.transaction);
    expect(await balances()).toEqual(['95', '5', '0']);
  });

  it('takes a hundred', async () => {
    const batch = Array.from({ length: 100 }, (_, n) => keyed(`k-${n}`, transfer(a, b, '1')));

    const answer = await each(batch);

    expect(new Set(resultsOf(answer))).toEqual(new Set(['201 false']));
    expect(told(await each([...batch, keyed('k', transfer(a, b, '1'))]))).toBe(
      '413 payload_too_large',
    );
  });
});
