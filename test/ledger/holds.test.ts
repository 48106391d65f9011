import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import {
  faultsOf,
  freshLedger,
  type LedgerAnswer,
  type LedgerClient,
  ledgerClient,
  told,
} from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
let b: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ({ ledger, a, b } = await freshLedger(world, '1000'));
});

const currency = 'EUR';
const held = (over: object = {}) => ({
  ...{ accountId: a, amount: '100', currency, destinationAccountId: b },
  ...over,
});
const hold = (over: object = {}, key?: string) => ledger.post('/v1/holds', held(over), key);
const capture = (id: string, body: object = {}, key?: string) =>
  ledger.post(`/v1/holds/${id}/capture`, body, key);
const letGo = (id: string, key?: string) => ledger.post(`/v1/holds/${id}/void`, undefined, key);
const inMs = (ms: number) => new Date(world.clock.nowMs() + ms).toISOString();
const money = async (id: string) => {
  const { balance, held: aside, available, version } = await ledger.account(id);
  return [balance, aside, available, version];
};

describe('a hold', () => {
  it('sets money aside: available falls, the balance stays', async () => {
    const { status, body } = await hold({ expiresAt: inMs(60_000), reference: 'r', metadata: {} });

    expect(status).toBe(201);
    expect(body).toMatchObject({
      object: 'hold',
      accountId: a,
      amount: '100',
      currency,
      destinationAccountId: b,
      status: 'pending',
      expiresAt: inMs(60_000),
      reference: 'r',
    });
    expect(await money(a)).toEqual(['1000', '100', '900', 2]);
    expect((await ledger.get(`/v1/holds/${body.id}`)).body).toEqual(body);
  });

  // Both sides of what is available, with another hold on it.
  it.each<[Record<string, string | undefined>, string]>([
    [{ amount: '700' }, '201'],
    [{ amount: '701' }, '422 insufficient_funds'],
    [{ currency: 'USD' }, '422 currency_mismatch'],
    [{ destinationAccountId: '@world' }, '201'],
    [{ destinationAccountId: undefined }, '201'],
    [{ destinationAccountId: 'itself' }, '422 same_account'],
    [{ destinationAccountId: 'in USD' }, '422 currency_mismatch'],
    [{ destinationAccountId: `acc_${'0'.repeat(26)}` }, '404 not_found'],
    [{ accountId: `acc_${'0'.repeat(26)}` }, '404 not_found'],
    [{ accountId: '@world' }, '422 validation_failed'],
  ])('of %j answers %s', async (over, answer) => {
    await hold({ amount: '300' });
    const special: Readonly<Record<string, string>> = {
      itself: a,
      'in USD': await ledger.open({ currency: 'USD' }),
    };
    const destinationAccountId = special[over.destinationAccountId ?? ''];
    const wanted = destinationAccountId ? { destinationAccountId } : over;

    expect(told(await hold(wanted))).toBe(answer);
  });

  it.each([
    [-1, '422 validation_failed'],
    [0, '422 validation_failed'],
    [1, '201'],
    [5 * 365 * 86_400_000, '201'],
    [5 * 365 * 86_400_000 + 1, '422 validation_failed'],
  ])('that expires in %i ms answers %s', async (ms, answer) => {
    expect(told(await hold({ expiresAt: inMs(ms) }))).toBe(answer);
  });

  it('keeps its refusal, and money that comes later does not change it', async () => {
    const refused = await hold({ amount: '1001' }, 'k');
    await ledger.post('/v1/transactions', { type: 'credit', accountId: a, amount: '9', currency });
    const again = await hold({ amount: '1001' }, 'k');

    expect([told(refused), refused.replayed]).toEqual(['422 insufficient_funds', false]);
    expect([told(again), again.replayed]).toEqual(['422 insufficient_funds', true]);
    expect(again.body.detail).toBe(refused.body.detail);
    const { data } = (await ledger.get('/v1/transactions?status=rejected')).body;
    expect(data).toMatchObject([{ type: 'hold', status: 'rejected' }]);
  });

  it('is repeated as it is now, also when it is over', async () => {
    const body = held({ expiresAt: inMs(1_000) });
    const { body: first } = await ledger.post('/v1/holds', body, 'k');
    await letGo(first.id);
    world.clock.advance(2_000);

    const again = await ledger.post('/v1/holds', body, 'k');

    expect([again.status, again.replayed]).toEqual([201, true]);
    expect(again.body).toMatchObject({ id: first.id, status: 'voided' });
  });
});

describe('a capture', () => {
  // Both sides of what is held.
  it.each([
    [{}, '201', ['900', '0', '900', 3], '100'],
    [{ amount: '100' }, '201', ['900', '0', '900', 3], '100'],
    [{ amount: '1' }, '201', ['999', '0', '999', 3], '1'],
    [{ amount: '101' }, '422 limit_exceeded', ['1000', '100', '900', 2], '0'],
  ])('of %j answers %s', async (body, answer, after, arrived) => {
    const { body: made } = await hold();

    const captured = await capture(made.id, body);

    expect([told(captured), await money(a)]).toEqual([answer, after]);
    expect((await ledger.account(b)).balance).toBe(arrived);
    const status = answer === '201' ? 'captured' : 'pending';
    expect((await ledger.get(`/v1/holds/${made.id}`)).body.status).toBe(status);
  });

  it('answers the hold and its transaction, which name each other', async () => {
    const { body: made } = await hold();
    const { body } = await capture(made.id, { amount: '60', reference: 'r', metadata: { m: '1' } });

    expect(body.hold).toMatchObject({
      id: made.id,
      status: 'captured',
      capturedAmount: '60',
      transactionId: body.transaction.id,
      destinationAccountId: b,
    });
    expect(body.transaction).toMatchObject({
      ...{ type: 'capture', holdId: made.id, amount: '60', reference: 'r', metadata: { m: '1' } },
      entries: [
        { accountId: a, amount: '-60', balanceAfter: '940', availableAfter: '940' },
        { accountId: b, amount: '60', balanceAfter: '60' },
      ],
    });
    expect((await ledger.get(`/v1/holds/${made.id}`)).body).toEqual(body.hold);
    const path = `/v1/transactions/${body.transaction.id}`;
    expect((await ledger.get(path)).body).toEqual(body.transaction);
  });

  it.each([
    ['named by the hold', true, {}, '201'],
    ['named by both alike', true, { destinationAccountId: 'b' }, '201'],
    ['named by both otherwise', true, { destinationAccountId: '@world' }, '422 validation_failed'],
    ['named by the capture', false, { destinationAccountId: 'b' }, '201'],
    ['the world', false, { destinationAccountId: '@world' }, '201'],
    ['named by nobody', false, {}, '422 validation_failed'],
    ['the account of the hold', false, { destinationAccountId: 'a' }, '422 same_account'],
    ['nowhere', false, { destinationAccountId: `acc_${'0'.repeat(26)}` }, '404 not_found'],
  ] as const)('to a destination %s', async (_what, isNamed, body, answer) => {
    const { body: made } = await hold(isNamed ? {} : { destinationAccountId: undefined });
    const names: Record<string, string> = { a, b };
    const asked = 'destinationAccountId' in body ? body.destinationAccountId : undefined;

    const captured = await capture(
      made.id,
      asked ? { destinationAccountId: names[asked] ?? asked } : {},
    );

    expect(told(captured)).toBe(answer);
  });

  it('into a derived account has a leg there', async () => {
    const fees = await ledger.open({ mode: 'derived' });
    const { body: made } = await hold({ destinationAccountId: fees });

    const { body } = await capture(made.id);

    expect(body.transaction.entries[1]).toEqual({ accountId: fees, currency, amount: '100' });
  });

  it('keeps its refusal; another key may try again', async () => {
    const { body: made } = await hold();
    await ledger.patch(`/v1/accounts/${a}`, { status: 'frozen' });

    expect(told(await capture(made.id, {}, 'k-1'))).toBe('422 account_frozen');
    await ledger.patch(`/v1/accounts/${a}`, { status: 'active' });
    const again = await capture(made.id, {}, 'k-1');

    expect([told(again), again.replayed]).toEqual(['422 account_frozen', true]);
    expect(told(await capture(made.id, {}, 'k-2'))).toBe('201');
  });

  it('is refused where the destination cannot take it', async () => {
    const small = await ledger.open({ maxBalance: '99' });
    const { body: made } = await hold({ destinationAccountId: small });

    expect(told(await capture(made.id))).toBe('422 limit_exceeded');
    expect(told(await capture(made.id, { amount: '99' }))).toBe('201');
  });

  // Even if nobody has let the hold go yet.
  it.each([
    [59_999, '201'],
    [60_000, '409 hold_resolved'],
    [60_001, '409 hold_resolved'],
  ])('%i ms after the creation of a hold for 60 s answers %s', async (ms, answer) => {
    const { body: made } = await hold({ expiresAt: inMs(60_000) });
    world.clock.advance(ms);

    expect(told(await capture(made.id))).toBe(answer);
    expect((await ledger.get(`/v1/holds/${made.id}`)).body.status).toBe(
      answer === '201' ? 'captured' : 'pending',
    );
  });
});

describe('a void', () => {
  it('lets all of it go', async () => {
    const { body: made } = await hold();

    const { status, body } = await letGo(made.id);

    expect([status, body.status, await money(a)]).toEqual([
      200,
      'voided',
      ['1000', '0', '1000', 3],
    ]);
    expect((await ledger.get(`/v1/holds/${made.id}`)).body).toEqual(body);
  });

  it('passes on a frozen account', async () => {
    const { body: made } = await hold();
    await ledger.patch(`/v1/accounts/${a}`, { status: 'frozen' });

    expect(told(await letGo(made.id))).toBe('200');
    expect(await money(a)).toEqual(['1000', '0', '1000', 3]);
  });

  it('passes after the time of expiry as long as the hold is pending', async () => {
    const { body: made } = await hold({ expiresAt: inMs(1_000) });
    world.clock.advance(2_000);

    expect((await letGo(made.id)).body.status).toBe('voided');
  });
});

describe('the end of a hold', () => {
  const ends = {
    capture: (id: string, key?: string) => capture(id, {}, key),
    void: (id: string, key?: string) => letGo(id, key),
  };
  const names = ['capture', 'void'] as const;

  it.each(names.flatMap((first) => names.map((second) => [first, second] as const)))(
    'comes once: after a %s a %s with another key is hold_resolved',
    async (first, second) => {
      const { body: made } = await hold();
      await ends[first](made.id, 'k-1');

      expect(told(await ends[second](made.id, 'k-2'))).toBe('409 hold_resolved');
      expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
    },
  );

  it.each([
    ['to another destination', { destinationAccountId: '@world' }],
    ['without a destination', {}],
    ['of more than was held', { amount: '101' }],
  ])('is what a second capture %s is refused for', async (_what, body) => {
    const { body: one } = await hold({ destinationAccountId: undefined });
    const { body: two } = await hold({ destinationAccountId: undefined });
    await capture(one.id, { destinationAccountId: b });
    await letGo(two.id);

    expect(told(await capture(one.id, body))).toBe('409 hold_resolved');
    expect(told(await capture(two.id, body))).toBe('409 hold_resolved');
  });

  it.each(names)('is one of ten parallel copies of a %s, which all tell it', async (end) => {
    const { body: made } = await hold();

    const all = await Promise.all(Array.from({ length: 10 }, () => ends[end](made.id, 'k')));

    const answers = all.map((it) => it.body.hold ?? it.body);
    expect(new Set(all.map((it) => it.status))).toEqual(new Set([end === 'void' ? 200 : 201]));
    expect(new Set(answers.map((it) => it.status))).toEqual(
      new Set([end === 'void' ? 'voided' : 'captured']),
    );
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it.each(names)('is told by a replay of a %s that read the hold before it', async (end) => {
    const { body: made } = await hold();
    const doors = overtakenAfterReading(() => ends[end](made.id, 'k'));
    const late = ledgerClient(doors, ledger.tenantId);
    const call = end === 'void' ? undefined : {};

    const answer = await late.post(`/v1/holds/${made.id}/${end}`, call, 'k');

    const told = answer.body.hold ?? answer.body;
    expect([answer.replayed, told.status]).toEqual([true, end === 'void' ? 'voided' : 'captured']);
  });

  it('is what a capture is refused for, not the room that another one has taken', async () => {
    const small = await ledger.open({ maxBalance: '100' });
    const { body: made } = await hold({ destinationAccountId: small });
    const late = ledgerClient(
      overtakenAfterReading(() => capture(made.id)),
      ledger.tenantId,
    );

    const answer = await late.post(`/v1/holds/${made.id}/capture`, {}, 'k');

    expect(told(answer)).toBe('409 hold_resolved');
    expect((await ledger.get('/v1/transactions?status=rejected')).body.data).toEqual([]);
  });

  it('is one of a capture and a void at the same time, each under ten keys', async () => {
    const { body: made } = await hold();

    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ends[n % 2 === 0 ? 'capture' : 'void'](made.id)),
    );

    expect(all.filter((it) => it.status < 300)).toHaveLength(1);
    const refusals = new Set(all.filter((it) => it.status >= 300).map(told));
    refusals.delete('503 busy');
    expect(refusals).toEqual(new Set(['409 hold_resolved']));
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  /** Another copy of the request is done in between, once. */
  function overtakenAfterReading(overtake: () => Promise<LedgerAnswer>): TestWorld {
    let isDone = false;
    const get: Db['get'] = async (...args) => {
      const item = await world.db.get(...args);
      if (!isDone) {
        isDone = true;
        await overtake();
      }
      return item;
    };
    return { ...world, db: { ...world.db, get } };
  }
});

describe('a key', () => {
  it('is one for all that moves money', async () => {
    const { body: one } = await hold();
    const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: b };
    const { body: posted } = await ledger.post('/v1/transactions', {
      ...transfer,
      ...{ amount: '1', currency },
    });
    const uses = [
      ['/v1/transactions', { type: 'credit', accountId: a, amount: '5', currency }],
      ['/v1/transactions', { type: 'credit', accountId: a, amount: '6', currency }],
      ['/v1/holds', held()],
      [`/v1/holds/${one.id}/capture`, {}],
      [`/v1/holds/${one.id}/capture`, { destinationAccountId: '@world' }],
      [`/v1/holds/${one.id}/void`, undefined],
      [`/v1/transactions/${posted.id}/reversals`, {}],
      ['/v1/transactions/batch', { atomic: true, transactions: [credit()] }],
    ] as const;
    for (const [first, body] of uses.filter((it) => it[0] !== uses[4][0] || it[1] !== uses[4][1])) {
      const key = `first ${first} ${JSON.stringify(body)}`.replaceAll(' ', '_');
      const made = await ledger.post(first, body, key);
      expect([first, [200, 201, 409].includes(made.status)]).toEqual([first, true]);
      if (made.status === 409) continue;
      for (const [path, other] of uses) {
        if (path === first && other === body) continue;
        const answer = told(await ledger.post(path, other, key));
        expect(`${first} then ${path}: ${answer}`).toBe(
          `${first} then ${path}: 422 idempotency_key_reused`,
        );
      }
    }
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it.each([
    ['void', undefined],
    ['capture', {}],
  ])('that another request took in between is not taken from it by a %s', async (verb, body) => {
    const { body: made } = await hold();
    let isDone = false;
    const getAll: Db['getAll'] = async (keys) => {
      const items = await world.db.getAll(keys);
      if (!isDone) {
        isDone = true;
        expect(told(await ledger.post('/v1/transactions', credit(), 'k'))).toBe('201');
      }
      return items;
    };
    const late = ledgerClient({ ...world, db: { ...world.db, getAll } }, ledger.tenantId);

    const answer = await late.post(`/v1/holds/${made.id}/${verb}`, body, 'k');

    expect(told(answer)).toBe('422 idempotency_key_reused');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  const credit = () => ({ type: 'credit', accountId: b, amount: '5', currency });
});

describe('the list of holds', () => {
  it('is filtered by status and account, and paged', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) ids.push((await hold()).body.id);
    world.clock.advance(1_000);
    const foreign = await ledger.open({}, '50');
    const { body: last } = await hold({ accountId: foreign, amount: '1' });
    await letGo(ids[1] ?? '');
    await capture(ids[2] ?? '');
    const list = async (query: string) =>
      (await ledger.get(`/v1/holds${query}`)).body.data.map((it) => it.id);

    expect(await list('')).toEqual([last.id, ...ids.toReversed()]);
    expect(await list('?status=pending')).toEqual([last.id, ids[3], ids[0]]);
    expect(await list('?status=voided')).toEqual([ids[1]]);
    expect(await list('?status=captured')).toEqual([ids[2]]);
    expect(await list('?status=expired')).toEqual([]);
    expect(await list(`?accountId=${foreign}`)).toEqual([last.id]);
    expect(await list(`?accountId=${a}&status=pending`)).toEqual([ids[3], ids[0]]);
    const first = await ledger.get(`/v1/holds?accountId=${a}&limit=3`);
    expect(first.body.data.map((it) => it.id)).toEqual([ids[3], ids[2], ids[1]]);
    const cursor = String(first.body.nextCursor);
    expect(await list(`?accountId=${a}&limit=3&cursor=${cursor}`)).toEqual([ids[0]]);
    expect(told(await ledger.get(`/v1/holds?accountId=${b}&cursor=${cursor}`))).toBe(
      '400 invalid_cursor',
    );
  });
});
