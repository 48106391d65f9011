import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type Fault, faultyDb } from './faulty-db.ts';
import { faultsOf, type LedgerClient, ledgerClient, told } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(() => {
  ledger = ledgerClient(world, newTenant(world));
});

const currency = 'EUR';

const move = (type: 'credit' | 'debit', accountId: string, amount: string) =>
  ledger.post('/v1/transactions', { type, accountId, amount, currency });

describe('the limits of an account', () => {
  // Both sides of each.
  it.each([
    [{}, 'debit', '1000', '201'],
    [{}, 'debit', '1001', '422 insufficient_funds'],
    [{ minBalance: '-50' }, 'debit', '1050', '201'],
    [{ minBalance: '-50' }, 'debit', '1051', '422 insufficient_funds'],
    [{ minBalance: null }, 'debit', '1000000000000000000', '201'],
    [{ maxBalance: '1500' }, 'credit', '500', '201'],
    [{ maxBalance: '1500' }, 'credit', '501', '422 limit_exceeded'],
    [{ maxBalance: '1500' }, 'debit', '1000', '201'],
    [{ minBalance: null, maxBalance: '1000' }, 'credit', '1', '422 limit_exceeded'],
    [{ mode: 'derived' }, 'debit', '1000000000000000000', '201'],
  ] as const)(
    'of terms %j and 1000 in it: a %s of %s answers %s',
    async (terms, type, amount, answer) => {
      const id = await ledger.open(terms, '1000');

      expect(told(await move(type, id, amount))).toBe(answer);
    },
  );

  it.each([
    [{ minBalance: '1' }, '422 validation_failed'],
    [{ minBalance: '0', maxBalance: '0' }, '201'],
    [{ maxBalance: '-1' }, '422 validation_failed'],
    [{ mode: 'derived', minBalance: '0' }, '422 not_available'],
    [{ mode: 'derived', maxBalance: '10' }, '422 not_available'],
    [{ mode: 'derived', minBalance: null }, '201'],
  ])('%j answers %s', async (terms, answer) => {
    expect(told(await ledger.post('/v1/accounts', { currency, ...terms }))).toBe(answer);
  });

  it('are shown with what they leave', async () => {
    const id = await ledger.open({ minBalance: '-50', maxBalance: '2000' }, '1000');

    expect(await ledger.account(id)).toMatchObject({
      balance: '1000',
      available: '1050',
      held: '0',
      minBalance: '-50',
      maxBalance: '2000',
      version: 1,
    });
    expect(await ledger.account(await ledger.open({ minBalance: null }))).toMatchObject({
      minBalance: null,
      available: '0',
    });
  });
});

describe('a derived account', () => {
  it('gets a leg of each transaction and no balance write', async () => {
    const [a, fees] = [await ledger.open({}, '100'), await ledger.open({ mode: 'derived' })];
    const transfer = { type: 'transfer', sourceAccountId: a, destinationAccountId: fees };

    const { body } = await ledger.post('/v1/transactions', { ...transfer, amount: '30', currency });

    expect(body.entries).toEqual([
      { accountId: a, currency, amount: '-30', seq: 2, balanceAfter: '70', availableAfter: '70' },
      { accountId: fees, currency, amount: '30' },
    ]);
    const shown = await ledger.account(fees);
    expect(shown).toMatchObject({ mode: 'derived', minBalance: null, balance: '0' });
    expect(Object.keys(shown)).not.toContain('version');
  });

  it('has no holds and no preconditions', async () => {
    const [a, fees] = [await ledger.open({}, '100'), await ledger.open({ mode: 'derived' }, '100')];
    const hold = { accountId: fees, amount: '1', currency, destinationAccountId: a };
    const debit = { type: 'debit', accountId: a, amount: '1', currency };
    const preconditions = [{ accountId: fees, minAvailable: '1' }];

    expect(told(await ledger.post('/v1/holds', hold))).toBe('422 not_available');
    expect(told(await ledger.post('/v1/transactions', { ...debit, preconditions }))).toBe(
      '422 not_available',
    );
  });

  it('is judged by its status and currency like any other', async () => {
    const fees = await ledger.open({ mode: 'derived' });
    const usd = { type: 'credit', accountId: fees, amount: '1', currency: 'USD' };
    expect(told(await ledger.post('/v1/transactions', usd))).toBe('422 currency_mismatch');

    await ledger.patch(`/v1/accounts/${fees}`, { status: 'frozen' });

    expect(told(await move('credit', fees, '1'))).toBe('422 account_frozen');
  });
});

describe('the status of an account', () => {
  const set = (id: string, status: string) => ledger.patch(`/v1/accounts/${id}`, { status });

  it('frozen refuses what moves money, until it is active again', async () => {
    const [a, b] = [await ledger.open({}, '100'), await ledger.open({}, '100')];
    await set(a, 'frozen');
    const to = (sourceAccountId: string, destinationAccountId: string) =>
      ledger.post('/v1/transactions', {
        ...{ type: 'transfer', sourceAccountId, destinationAccountId },
        ...{ amount: '1', currency },
      });
    const hold = { accountId: a, amount: '1', currency, destinationAccountId: b };

    expect([told(await to(a, b)), told(await to(b, a))]).toEqual([
      '422 account_frozen',
      '422 account_frozen',
    ]);
    expect(told(await ledger.post('/v1/holds', hold))).toBe('422 account_frozen');
    expect((await set(a, 'active')).body.status).toBe('active');
    expect([told(await to(a, b)), told(await ledger.post('/v1/holds', hold))]).toEqual([
      '201',
      '201',
    ]);
  });

  interface Past {
    readonly terms?: object;
    readonly funds?: string;
    readonly debit?: string;
    readonly hold?: string;
  }

  it.each<[string, Past, string]>([
    ['with a balance', { funds: '1' }, '409 conflict'],
    ['below zero', { terms: { minBalance: '-9' }, debit: '1' }, '409 conflict'],
    ['at zero with a hold', { terms: { minBalance: '-9' }, hold: '1' }, '409 conflict'],
    ['at zero', {}, '200'],
    ['at zero after a history', { funds: '5', debit: '5' }, '200'],
  ])('closes %s: %s', async (_when, { terms, funds, debit, hold }, answer) => {
    const id = await ledger.open(terms, funds);
    if (debit) expect(told(await move('debit', id, debit))).toBe('201');
    const held = { accountId: id, amount: hold, currency, destinationAccountId: '@world' };
    if (hold) expect(told(await ledger.post('/v1/holds', held))).toBe('201');

    expect(told(await set(id, 'closed'))).toBe(answer);
    expect((await ledger.account(id)).status).toBe(answer === '200' ? 'closed' : 'active');
  });

  it('closed is final', async () => {
    const id = await ledger.open();
    await set(id, 'closed');

    expect(told(await set(id, 'active'))).toBe('409 conflict');
    expect(told(await set(id, 'frozen'))).toBe('409 conflict');
    expect(told(await set(id, 'closed'))).toBe('200');
    expect(told(await move('credit', id, '1'))).toBe('422 account_closed');
  });

  it('closes from frozen', async () => {
    const id = await ledger.open();
    await set(id, 'frozen');

    expect(told(await set(id, 'closed'))).toBe('200');
  });
});

describe('a change of an account', () => {
  const updates = () => world.units.filter((it) => it.operation !== 'query').length;

  it('keeps what it does not name, and replaces metadata as a whole', async () => {
    const id = await ledger.open({ name: 'one', metadata: { a: '1', b: '2' } });

    const { body } = await ledger.patch(`/v1/accounts/${id}`, { metadata: { c: '3' } });

    expect(body).toMatchObject({ name: 'one', metadata: { c: '3' }, status: 'active' });
    expect(body.metadata).toEqual({ c: '3' });
    expect(await ledger.account(id)).toEqual(body);
  });

  it('that changes nothing writes nothing', async () => {
    const id = await ledger.open({ name: 'one' });
    world.units.splice(0);

    const { status } = await ledger.patch(`/v1/accounts/${id}`, { name: 'one', status: 'active' });

    expect([status, updates()]).toEqual([200, 0]);
  });

  it('is told by one event account.updated', async () => {
    const id = await ledger.open({ name: 'one' });
    await ledger.patch(`/v1/accounts/${id}`, { name: 'two' });

    const events = await eventsOf(ledger.tenantId);

    expect(events.map((it) => [it.type, it.data.name])).toEqual([
      ['account.created', 'one'],
      ['account.updated', 'two'],
    ]);
  });

  it('heals by its retry when its answer was lost, and is told once', async () => {
    const id = await ledger.open();
    const lossy = ledgerClient({ ...world, db: faultyDb(world.db, () => 'lost') }, ledger.tenantId);

    const first = await lossy.patch(`/v1/accounts/${id}`, { status: 'frozen' });
    const second = await ledger.patch(`/v1/accounts/${id}`, { status: 'frozen' });

    expect([told(first), told(second), second.body.status]).toEqual([
      ...['503 unavailable', '200', 'frozen'],
    ]);
    const updates = (await eventsOf(ledger.tenantId)).filter((it) => it.type.endsWith('updated'));
    expect(updates).toHaveLength(1);
  });

  it('loses none of ten parallel ones', async () => {
    const id = await ledger.open({ name: 'start' });
    const names = Array.from({ length: 10 }, (_, n) => ({ name: `name ${n}` }));
    const changes = [...names, { status: 'frozen' }, { metadata: { kept: 'yes' } }];

    const all = await Promise.all(changes.map((it) => ledger.patch(`/v1/accounts/${id}`, it)));

    const statuses = new Set(all.map(told));
    expect([...statuses].filter((it) => it !== '200' && it !== '503 busy')).toEqual([]);
    const kept = all.flatMap((it, n) => (it.status === 200 ? [changes[n]] : []));
    const events = await eventsOf(ledger.tenantId);
    expect(events.filter((it) => it.type === 'account.updated')).toHaveLength(kept.length);
    const last = Object.assign({}, ...kept.filter((it) => !('name' in (it ?? {}))));
    expect(await ledger.account(id)).toMatchObject(last);
  });

  it('passes while others post to the account, but closing has to find it empty', async () => {
    const id = await ledger.open({}, '100');
    const busy = ledgerClient(
      meddling(() => move('credit', id, '1')),
      ledger.tenantId,
    );

    expect(told(await busy.patch(`/v1/accounts/${id}`, { status: 'frozen' }))).toBe('200');
    expect((await ledger.account(id)).status).toBe('frozen');
    await ledger.patch(`/v1/accounts/${id}`, { status: 'active' });
    const empty = await ledger.open();
    const racing = ledgerClient(
      meddling(() => move('credit', empty, '1')),
      ledger.tenantId,
    );

    expect(told(await racing.patch(`/v1/accounts/${empty}`, { status: 'closed' }))).toBe(
      '409 conflict',
    );
    expect(await ledger.account(empty)).toMatchObject({ status: 'active' });
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('that saw only a part of another change leaves the account on the right list', async () => {
    const id = await ledger.open();
    const torn = ledgerClient(await seeingHalf(id, { status: 'frozen' }), ledger.tenantId);

    const { body } = await torn.patch(`/v1/accounts/${id}`, { name: 'renamed' });

    expect(body).toMatchObject({ name: 'renamed', status: 'frozen' });
    const frozen = await ledger.get('/v1/accounts?status=frozen');
    expect(frozen.body.data.map((it) => it.id)).toEqual([id]);
    expect((await eventsOf(ledger.tenantId)).at(-1)?.data).toMatchObject({ status: 'frozen' });
  });

  /**
   * Doors of a request whose first query sees the balance from before this change, and the details
   * from after it: a query is no snapshot.
   */
  async function seeingHalf(id: string, change: object): Promise<TestWorld> {
    const old = await world.db.get('ledger', { pk: `${ledger.tenantId}#${id}`, sk: '#' });
    await ledger.patch(`/v1/accounts/${id}`, change);
    let isFirst = true;
    const query: Db['query'] = async (asked) => {
      const page = await world.db.query(asked);
      if (!isFirst || !old) return page;
      isFirst = false;
      return { ...page, items: page.items.map((it) => (it.sk === '#' ? old : it)) };
    };
    return { ...world, db: { ...world.db, query } };
  }

  /** Doors of a request that is overtaken by another one right before its commit. */
  function meddling(overtake: () => Promise<unknown>): TestWorld {
    const commit: Db['commit'] = async (writes) => {
      await overtake();
      return world.db.commit(writes);
    };
    return { ...world, db: { ...world.db, commit } };
  }
});

describe('an external id', () => {
  it('is unique per tenant, also among ten at a time', async () => {
    const other = ledgerClient(world, newTenant(world));
    const body = { currency, externalId: 'user #1/€' };

    const all = await Promise.all(
      Array.from({ length: 10 }, () => ledger.post('/v1/accounts', body)),
    );

    expect(all.map(told).sort()).toEqual(['201', ...Array(9).fill('409 conflict')]);
    expect(all.find((it) => it.status === 409)?.body.errors).toMatchObject([
      { pointer: '/externalId', code: 'taken' },
    ]);
    expect(told(await other.post('/v1/accounts', body))).toBe('201');
  });

  it('finds its account', async () => {
    const id = await ledger.open({ externalId: 'user 1' });
    const find = async (query: string) =>
      (await ledger.get(`/v1/accounts?${query}`)).body.data.map((it) => it.id);

    expect(await find('externalId=user%201')).toEqual([id]);
    expect(await find('externalId=user%201&status=active')).toEqual([id]);
    expect(await find('externalId=user%201&status=frozen')).toEqual([]);
    expect(await find('externalId=user%202')).toEqual([]);
  });

  it('that is taken leaves the key of the creation free', async () => {
    await ledger.open({ externalId: 'x' });
    const refused = await ledger.post('/v1/accounts', { currency, externalId: 'x' }, 'k-1');
    const other = await ledger.post('/v1/accounts', { currency, externalId: 'y' }, 'k-1');

    expect([told(refused), told(other)]).toEqual(['409 conflict', '201']);
  });
});

describe('the creation of an account', () => {
  it('is one for ten parallel copies, with its external id', async () => {
    const body = { currency, externalId: 'e' };

    const all = await Promise.all(
      Array.from({ length: 10 }, () => ledger.post('/v1/accounts', body, 'k')),
    );

    expect(new Set(all.map((it) => `${told(it)} ${it.body.id}`)).size).toBe(1);
    expect(all.filter((it) => !it.replayed)).toHaveLength(1);
    expect(await eventsOf(ledger.tenantId)).toHaveLength(1);
  });

  it.each<Fault>(['lost', 'failed'])('heals by its retry when its commit is %s', async (fault) => {
    const body = { currency, externalId: 'e' };
    const faulty = ledgerClient({ ...world, db: faultyDb(world.db, () => fault) }, ledger.tenantId);

    const first = await faulty.post('/v1/accounts', body, 'k');
    const second = await ledger.post('/v1/accounts', body, 'k');

    expect([told(first), told(second)]).toEqual(['503 unavailable', '201']);
    expect(second.replayed).toBe(fault === 'lost');
    expect(await eventsOf(ledger.tenantId)).toHaveLength(1);
  });

  it('is repeated with what the account has become', async () => {
    const body = { currency, name: 'one', externalId: 'e' };
    const first = await ledger.post('/v1/accounts', body, 'k');
    await ledger.patch(`/v1/accounts/${first.body.id}`, { name: 'two' });
    await move('credit', first.body.id, '7');

    const again = await ledger.post('/v1/accounts', body, 'k');

    expect([again.status, again.replayed, again.body.id]).toEqual([201, true, first.body.id]);
    expect(again.body).toMatchObject({ name: 'two', balance: '7' });
    expect(told(await ledger.post('/v1/accounts', { ...body, name: 'x' }, 'k'))).toBe(
      '422 idempotency_key_reused',
    );
  });
});

it('lists accounts by status, newest first', async () => {
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) {
    ids.push(await ledger.open());
    world.clock.advance(1);
  }
  await ledger.patch(`/v1/accounts/${ids[1]}`, { status: 'frozen' });
  await ledger.patch(`/v1/accounts/${ids[2]}`, { status: 'closed' });
  const list = async (query: string) =>
    (await ledger.get(`/v1/accounts${query}`)).body.data.map((it) => it.id);

  expect(await list('')).toEqual(ids.toReversed());
  expect(await list('?status=active')).toEqual([ids[3], ids[0]]);
  expect(await list('?status=frozen')).toEqual([ids[1]]);
  expect(await list('?status=closed')).toEqual([ids[2]]);
  const first = await ledger.get('/v1/accounts?status=active&limit=1');
  const cursor = String(first.body.nextCursor);
  expect(await list(`?status=active&limit=1&cursor=${cursor}`)).toEqual([ids[0]]);
  expect(told(await ledger.get(`/v1/accounts?status=frozen&limit=1&cursor=${cursor}`))).toBe(
    '400 invalid_cursor',
  );
});

interface Told {
  readonly type: string;
  readonly data: { readonly name?: string };
}

/** The events of a tenant in their order. */
async function eventsOf(tenantId: string): Promise<Told[]> {
  const { outbox } = await takeSnapshot(world.client, world.tables);
  return outbox
    .filter((it) => it.tenant === tenantId)
    .toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
    .map((it) => ({ type: String(it.type), data: JSON.parse(String(it.data)) }));
}
