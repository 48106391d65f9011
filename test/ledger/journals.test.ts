import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { faultsOf, freshLedger, type LedgerClient, ledgerClient, told } from './ledger-client.ts';

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

type Posting = readonly [source: string, destination: string, amount: string, currency?: string];

const journal = (postings: readonly Posting[], more: object = {}) => ({
  type: 'journal',
  postings: postings.map(([sourceAccountId, destinationAccountId, amount, currency = 'EUR']) => ({
    ...{ sourceAccountId, destinationAccountId, amount, currency },
  })),
  ...more,
});
const post = (body: object, key?: string) => ledger.post('/v1/transactions', body, key);
const transfer = (amount: string, more: object = {}) => ({
  ...{ type: 'transfer', sourceAccountId: a, destinationAccountId: b, amount, currency: 'EUR' },
  ...more,
});
const balances = async (...ids: string[]) =>
  Promise.all(ids.map(async (it) => (await ledger.account(it)).balance));

describe('a journal', () => {
  it('has one entry per account, of its net', async () => {
    const { status, body } = await post(
      journal([
        [a, b, '60'],
        [b, c, '50'],
        [c, a, '5'],
      ]),
    );

    expect(status).toBe(201);
    expect(body.entries).toMatchObject([
      { accountId: a, amount: '-55', seq: 2, balanceAfter: '45' },
      { accountId: b, amount: '10', seq: 1, balanceAfter: '10' },
      { accountId: c, amount: '45', seq: 1, balanceAfter: '45' },
    ]);
    expect(Object.keys(body)).not.toContain('amount');
    expect((await ledger.get(`/v1/transactions/${body.id}`)).body).toEqual(body);
  });

  it('is judged by the net: what passes through need not be there', async () => {
    expect(
      told(
        await post(
          journal([
            [b, c, '70'],
            [a, b, '70'],
          ]),
        ),
      ),
    ).toBe('201');
    expect(
      told(
        await post(
          journal([
            [b, c, '71'],
            [a, b, '31'],
          ]),
        ),
      ),
    ).toBe('422 insufficient_funds');
    expect(await balances(a, b, c)).toEqual(['30', '0', '70']);
  });

  it('may come to nothing on an account, which gets an entry of 0', async () => {
    const { status, body } = await post(
      journal([
        [a, b, '10'],
        [b, a, '10'],
      ]),
    );

    expect([status, body.entries]).toMatchObject([
      201,
      [
        { accountId: a, amount: '0', seq: 2 },
        { accountId: b, amount: '0', seq: 1 },
      ],
    ]);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('may name an account on both sides, in several postings, but not in one', async () => {
    const twice = await post(
      journal([
        [a, b, '1'],
        [a, a, '1'],
      ]),
    );

    expect(told(twice)).toBe('422 same_account');
    expect(twice.body.errors).toMatchObject([{ pointer: '/postings/1/destinationAccountId' }]);
    expect(told(await post(journal([['@world', '@world', '1']])))).toBe('422 same_account');
  });

  it('moves several currencies, each summing to zero', async () => {
    const usd = await ledger.open({ currency: 'USD' });
    const gold = await ledger.open({ currency: 'XAU/6' });

    const { status, body } = await post(
      journal([
        [a, '@world', '30'],
        ['@world', usd, '33', 'USD'],
        ['@world', gold, '7', 'XAU/6'],
      ]),
    );

    expect(status).toBe(201);
    const sums = new Map<unknown, bigint>();
    for (const { currency, amount } of body.entries) {
      sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(String(amount)));
    }
    expect(sums).toEqual(
      new Map([
        ['EUR', 0n],
        ['USD', 0n],
        ['XAU/6', 0n],
      ]),
    );
    expect(body.entries).toHaveLength(6);
    expect(told(await post(journal([[a, usd, '1']])))).toBe('422 currency_mismatch');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('is refused as a whole by one account, and remembers it', async () => {
    await ledger.patch(`/v1/accounts/${c}`, { status: 'frozen' });
    const body = journal([
      [a, b, '1'],
      [a, c, '1'],
    ]);

    expect(told(await post(body, 'k'))).toBe('422 account_frozen');
    expect((await post(body, 'k')).replayed).toBe(true);
    expect(await balances(a, b, c)).toEqual(['100', '0', '0']);
  });

  it('takes the largest amounts, and refuses a balance of more than 30 digits', async () => {
    const deep = await ledger.open({ minBalance: null });
    const most = `1${'0'.repeat(18)}`;

    expect(
      told(
        await post(
          journal([
            [deep, b, most],
            [deep, b, most],
          ]),
        ),
      ),
    ).toBe('201');
    expect(await balances(deep, b)).toEqual([`-2${'0'.repeat(18)}`, `2${'0'.repeat(18)}`]);
    expect(told(await post(journal([[deep, b, `${most}0`]])))).toBe('422 invalid_amount');
  });

  describe('over many accounts', () => {
    let many: string[];
    beforeEach(async () => {
      many = await Promise.all(Array.from({ length: 97 }, () => ledger.open()));
    });
    const fan = (to: readonly string[]): Posting[] => to.map((it) => [a, it, '1']);

    // With the one that pays.
    it('takes 97 limited ones, and refuses 98', async () => {
      expect(told(await post(journal(fan(many))))).toBe('422 batch_too_large');
      const taken = await post(journal(fan(many.slice(1))));

      expect(told(taken)).toBe('201');
      const path = `/v1/transactions/${taken.body.id}/reversals`;
      expect(told(await ledger.post(path, {}))).toBe('201');
      expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
    });

    it('does not count those without a balance', async () => {
      const fees = await ledger.open({ mode: 'derived' });
      const to: Posting[] = [...fan(many.slice(1)), [a, fees, '1'], [a, '@world', '1']];

      expect(told(await post(journal(to)))).toBe('201');
    });

    it('counts those that a precondition holds', async () => {
      const preconditions = [{ accountId: many[0], version: 0 }];

      expect(told(await post(journal(fan(many.slice(1)), { preconditions })))).toBe(
        '422 batch_too_large',
      );
      expect(told(await post(journal(fan(many.slice(2)), { preconditions })))).toBe('201');
    });
  });
});

describe('a precondition', () => {
  const at = (more: object) => ({ preconditions: [{ accountId: a, ...more }] });

  // The account has the version 1 and 100 available.
  it.each([
    [{ version: 1 }, '201'],
    [{ version: 0 }, '412 precondition_failed'],
    [{ version: 2 }, '412 precondition_failed'],
    [{ minAvailable: '100' }, '201'],
    [{ minAvailable: '101' }, '412 precondition_failed'],
    [{ minAvailable: '-1' }, '201'],
    [{ version: 1, minAvailable: '100' }, '201'],
    [{ version: 1, minAvailable: '101' }, '412 precondition_failed'],
    [{}, '422 validation_failed'],
    [{ accountId: '@world', version: 0 }, '422 validation_failed'],
    [{ accountId: `acc_${'0'.repeat(26)}`, version: 0 }, '404 not_found'],
  ])('%j answers %s', async (condition, answer) => {
    expect(told(await post(transfer('1', at(condition))))).toBe(answer);
  });

  it('names its place, and leaves the key free', async () => {
    const preconditions = [
      { accountId: a, version: 1 },
      { accountId: b, minAvailable: '1' },
    ];
    const refused = await post(transfer('1', { preconditions }), 'k');

    expect(refused.body.errors).toMatchObject([{ pointer: '/preconditions/1/minAvailable' }]);
    expect(told(await post(transfer('1'), 'k'))).toBe('201');
    expect((await ledger.get('/v1/transactions?status=rejected')).body.data).toEqual([]);
  });

  it('comes before a refusal, which would be kept', async () => {
    expect(told(await post(transfer('101', at({ version: 0 })), 'k'))).toBe(
      '412 precondition_failed',
    );
    expect(told(await post(transfer('101', at({ version: 1 })), 'k'))).toBe(
      '422 insufficient_funds',
    );
  });

  it.each([
    ['the one that pays', () => a],
    ['one that does not move', () => c],
  ])('holds %s still until the commit', async (_which, account) => {
    const credit = { type: 'credit', accountId: account(), amount: '1', currency: 'EUR' };
    const { version } = await ledger.account(account());
    const late = ledgerClient(
      overtaken(() => post(credit)),
      ledger.tenantId,
    );
    const preconditions = [{ accountId: account(), version }];

    expect(told(await late.post('/v1/transactions', transfer('1', { preconditions })))).toBe(
      '412 precondition_failed',
    );
    expect(await balances(b)).toEqual(['0']);
  });

  /** Another request is done right before the first commit. */
  function overtaken(overtake: () => Promise<unknown>): TestWorld {
    let isDone = false;
    const commit: Db['commit'] = async (writes) => {
      if (!isDone) await overtake();
      isDone = true;
      return world.db.commit(writes);
    };
    return { ...world, db: { ...world.db, commit } };
  }
});

describe('a dry run', () => {
  it('answers what would be posted, stores nothing, and leaves the key free', async () => {
    const dry = await post(transfer('40', { dryRun: true }), 'k');

    expect(dry.status).toBe(200);
    expect(dry.body).toMatchObject({
      dryRun: true,
      status: 'posted',
      entries: [
        { accountId: a, amount: '-40', balanceAfter: '60' },
        { accountId: b, amount: '40', balanceAfter: '40' },
      ],
    });
    expect(await balances(a, b)).toEqual(['100', '0']);
    expect((await ledger.get(`/v1/transactions/${dry.body.id}`)).status).toBe(404);
    const real = await post(transfer('50'), 'k');
    expect([real.status, real.replayed]).toEqual([201, false]);
  });

  it('ignores what its key was used for, and a batch has none', async () => {
    await post(transfer('50'), 'k');
    const dry = await post(transfer('40', { dryRun: true }), 'k');

    expect([dry.status, dry.replayed]).toEqual([200, false]);
    expect(dry.body.entries?.[0]).toMatchObject({ amount: '-40', balanceAfter: '10' });
    for (const atomic of [true, false]) {
      const own = atomic ? {} : { idempotencyKey: 'k2' };
      const transactions = [transfer('40', { ...own, dryRun: true })];
      const refused = await ledger.post('/v1/transactions/batch', { atomic, transactions }, 'b');
      expect(refused.body.errors?.map((it) => [it.pointer, it.code])).toEqual([
        ['/transactions/0/dryRun', 'unknown_field'],
      ]);
    }
    expect(await balances(a, b)).toEqual(['50', '50']);
  });

  it.each<[{ amount?: string; currency?: string; preconditions?: object[] }, string]>([
    [{ amount: '101' }, '422 insufficient_funds'],
    [{ preconditions: [{ version: 7 }] }, '412 precondition_failed'],
    [{ currency: 'USD' }, '422 currency_mismatch'],
  ])('of %j answers %s, and nobody remembers it', async (over, answer) => {
    const preconditions = over.preconditions?.map((it) => ({ ...it, accountId: a }));
    const body = transfer('1', { ...over, ...(preconditions && { preconditions }) });

    expect(told(await post({ ...body, dryRun: true }, 'k'))).toBe(answer);
    expect((await ledger.get('/v1/transactions?status=rejected')).body.data).toEqual([]);
    expect(told(await post(transfer('1'), 'k'))).toBe('201');
  });
});

it('keeps effectiveAt as it was said, and orders by its own time', async () => {
  const effectiveAt = '2020-02-29T12:00:00.000Z';
  const { body } = await post(transfer('1', { effectiveAt }));
  world.clock.advance(5);
  const { body: next } = await post(transfer('1'));

  expect(body).toMatchObject({ effectiveAt, createdAt: expect.stringMatching(/^2026-11-21/) });
  const { data } = (await ledger.get('/v1/transactions?limit=2')).body;
  expect(data.map((it) => it.id)).toEqual([next.id, body.id]);
});

describe('the list of transactions', () => {
  it('shows posted or rejected ones, by reference and time', async () => {
    const made: Record<string, string> = {};
    for (const [name, amount, more] of [
      ['one', '1', { reference: 'order #1' }],
      ['two', '2', {}],
      ['three', '3', { reference: 'order #1' }],
    ] as const) {
      world.clock.advance(1_000);
      made[name] = (await post(transfer(amount, more))).body.id;
    }
    await post(transfer('1000', { reference: 'order #1' }));
    const list = async (query: string) =>
      (await ledger.get(`/v1/transactions?${query}`)).body.data.map((it) => it.id);
    const { body } = await ledger.get(`/v1/transactions/${made.two}`);

    expect(await list('limit=3')).toEqual([made.three, made.two, made.one]);
    expect(await list('reference=order%20%231')).toEqual([made.three, made.one]);
    expect(await list(`from=${body.createdAt}`)).toEqual([made.three, made.two]);
    expect((await list(`to=${body.createdAt}`))[0]).toBe(made.one);
    expect(await list('limit=3&to=2300-01-01T00:00:00Z')).toEqual([made.three, made.two, made.one]);
    expect(await list('from=2300-01-01T00:00:00Z')).toEqual([]);
    expect(await list('to=1960-01-01T00:00:00Z')).toEqual([]);
    expect(await list('status=rejected')).toHaveLength(1);
    expect(await list('status=rejected&reference=order%20%231')).toHaveLength(1);
    expect(await list('status=rejected&reference=other')).toEqual([]);
  });
});
