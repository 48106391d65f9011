import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Commit, Db, Reason } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { type Fault, faultyDb } from './faulty-db.ts';
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
const transfer = (amount = '10') => ({
  ...{ type: 'transfer', sourceAccountId: a, destinationAccountId: b, amount, currency },
});

/** A client whose commits are answered by `answer` as long as it has one. */
function answeredBy(answer: (nth: number) => Commit | undefined) {
  let commits = 0;
  const commit: Db['commit'] = async (writes) => {
    commits += 1;
    return answer(commits) ?? world.db.commit(writes);
  };
  const client = ledgerClient({ ...world, db: { ...world.db, commit } }, ledger.tenantId);
  return { client, commits: () => commits };
}

const cancelled = (...codes: Reason['code'][]): Commit => ({
  ok: false,
  reasons: codes.map((code) => ({ code })),
});

describe('the reasons of a cancelled commit', () => {
  // Of the record, the two accounts, the event. They come once; then the commit passes.
  it.each<[Reason['code'][], string, number]>([
    [['conflict', 'none', 'none', 'none'], '201', 2],
    [['none', 'conflict', 'none', 'none'], '201', 2],
    [['none', 'condition', 'none', 'none'], '201', 2],
    [['none', 'condition', 'conflict', 'none'], '201', 2],
    [['none', 'none', 'none', 'throttled'], '503 busy', 1],
    [['none', 'conflict', 'throttled', 'none'], '503 busy', 1],
    [['none', 'condition', 'throttled', 'none'], '503 busy', 1],
    [['condition', 'none', 'throttled', 'none'], '201', 2],
    [['condition', 'conflict', 'none', 'none'], '201', 2],
    [['none', 'other', 'none', 'none'], '500 internal', 1],
  ])('%j: %s after %i commits', async (codes, answer, count) => {
    const { client, commits } = answeredBy((nth) => (nth === 1 ? cancelled(...codes) : undefined));

    const got = await client.post('/v1/transactions', transfer());

    expect([told(got), commits()]).toEqual([answer, count]);
    if (answer === '503 busy') expect(got.headers['retry-after']).toBe('1');
    expect((await ledger.account(b)).balance).toBe(answer === '201' ? '10' : '0');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('in which the record is taken are a replay of the other copy', async () => {
    const { client } = answeredBy(() => undefined);
    const racing = overtaking(() => client.post('/v1/transactions', transfer(), 'k'));

    const got = await racing.post('/v1/transactions', transfer(), 'k');

    expect([got.status, got.replayed]).toEqual([201, true]);
    expect((await ledger.account(b)).balance).toBe('10');
  });

  it('in which the record is taken by another request are idempotency_key_reused', async () => {
    const racing = overtaking(() => ledger.post('/v1/transactions', transfer('11'), 'k'));

    expect(told(await racing.post('/v1/transactions', transfer(), 'k'))).toBe(
      '422 idempotency_key_reused',
    );
  });

  it('by which the money is gone are refused only by what a new look sees', async () => {
    const racing = overtaking(() => ledger.post('/v1/transactions', transfer('991')));

    const got = await racing.post('/v1/transactions', transfer());

    expect(told(got)).toBe('422 insufficient_funds');
    expect(got.body.detail).toContain('has 0.09 EUR available');
  });

  it('that do not end are busy after ten commits, and nothing has moved', async () => {
    const { client, commits } = answeredBy(() => cancelled('none', 'conflict', 'none', 'none'));

    const got = await client.post('/v1/transactions', transfer(), 'k');

    expect([told(got), got.headers['retry-after'], commits()]).toEqual(['503 busy', '1', 10]);
    expect(got.body.retryable).toBe(true);
    expect((await ledger.account(a)).version).toBe(1);
    expect(told(await ledger.post('/v1/transactions', transfer(), 'k'))).toBe('201');
  });

  it('of a refusal that is to be kept are tried again as well', async () => {
    const { client } = answeredBy((nth) => (nth === 1 ? cancelled('conflict') : undefined));

    expect(told(await client.post('/v1/transactions', transfer('1001'), 'k'))).toBe(
      '422 insufficient_funds',
    );
    expect((await ledger.post('/v1/transactions', transfer('1001'), 'k')).replayed).toBe(true);
  });

  /** A client that another request overtakes right before its first commit. */
  function overtaking(overtake: () => Promise<LedgerAnswer>): LedgerClient {
    let isDone = false;
    const commit: Db['commit'] = async (writes) => {
      if (!isDone) await overtake();
      isDone = true;
      return world.db.commit(writes);
    };
    return ledgerClient({ ...world, db: { ...world.db, commit } }, ledger.tenantId);
  }
});

type Send = (client: LedgerClient, key: string) => Promise<LedgerAnswer>;

/** Every way to move money, ready to be sent. */
const ROUTES: readonly (readonly [string, () => Promise<Send>])[] = [
  ['a transfer', async () => (it, key) => it.post('/v1/transactions', transfer(), key)],
  [
    'a credit',
    async () => (it, key) =>
      it.post('/v1/transactions', { type: 'credit', accountId: a, amount: '1', currency }, key),
  ],
  [
    'a journal',
    async () => (it, key) => {
      const { type: _type, ...posting } = transfer();
      return it.post('/v1/transactions', { type: 'journal', postings: [posting, posting] }, key);
    },
  ],
  [
    'a refused transfer',
    async () => (it, key) => it.post('/v1/transactions', transfer('9999'), key),
  ],
  [
    'a reversal',
    async () => {
      const { body } = await ledger.post('/v1/transactions', transfer());
      return (it, key) => it.post(`/v1/transactions/${body.id}/reversals`, {}, key);
    },
  ],
  [
    'an atomic batch',
    async () => (it, key) =>
      it.post(
        '/v1/transactions/batch',
        { atomic: true, transactions: [transfer(), transfer()] },
        key,
      ),
  ],
  [
    'a refused atomic batch',
    async () => (it, key) =>
      it.post(
        '/v1/transactions/batch',
        { atomic: true, transactions: [transfer(), transfer('9999')] },
        key,
      ),
  ],
  ['a hold', async () => (it, key) => it.post('/v1/holds', held(), key)],
  ['a refused hold', async () => (it, key) => it.post('/v1/holds', held('9999'), key)],
  ['a capture', async () => onHold('capture', { amount: '4' })],
  ['a refused capture', async () => onHold('capture', { amount: '999' })],
  ['a void', async () => onHold('void', undefined)],
];

const held = (amount = '10') => ({ accountId: a, amount, currency, destinationAccountId: b });

async function onHold(verb: string, body: object | undefined): Promise<Send> {
  const { body: hold } = await ledger.post('/v1/holds', held());
  return (it, key) => it.post(`/v1/holds/${hold.id}/${verb}`, body, key);
}

/** What an answer is about, without what goes on. */
const essence = ({ status, body }: LedgerAnswer) =>
  JSON.stringify([status, body.code, body.detail, body.id, body.hold, body.transaction]);

/** BatchGetItem is no snapshot: the record may be read before another copy, the accounts after. */
describe('a copy of a request that is done while another one reads', () => {
  const preconditions = () => [{ accountId: a, version: 1 }];

  it.each<[string, () => readonly [string, object]]>([
    ['a transfer', () => ['/v1/transactions', { ...transfer(), preconditions: preconditions() }]],
    ['all of the money', () => ['/v1/transactions', transfer('1000')]],
    [
      'an atomic batch',
      () => {
        const transactions = [{ ...transfer(), preconditions: preconditions() }];
        return ['/v1/transactions/batch', { atomic: true, transactions }];
      },
    ],
    ['a hold on all of it', () => ['/v1/holds', held('1000')]],
  ])('is replayed, and not refused for what it has changed itself: %s', async (_what, request) => {
    const [path, body] = request();
    let isDone = false;
    const getAll: Db['getAll'] = async (keys) => {
      const record = await world.db.getAll(keys.slice(0, 1));
      if (!isDone) {
        isDone = true;
        expect(told(await ledger.post(path, body, 'k'))).toBe('201');
      }
      return [...record, ...(await world.db.getAll(keys.slice(1)))];
    };
    const late = ledgerClient({ ...world, db: { ...world.db, getAll } }, ledger.tenantId);

    const answer = await late.post(path, body, 'k');

    expect([told(answer), answer.replayed]).toEqual(['201', true]);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });
});

describe.each(ROUTES)('%s', (_what, prepare) => {
  const version = async () => (await ledger.account(a)).version as number;

  it('has one effect in ten parallel copies', async () => {
    const send = await prepare();
    const before = await version();

    const all = await Promise.all(Array.from({ length: 10 }, () => send(ledger, 'k')));

    expect(new Set(all.map(essence)).size).toBe(1);
    expect(all.filter((it) => !it.replayed)).toHaveLength(1);
    expect((await version()) - before).toBeLessThanOrEqual(2);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  // The first commit has the fault, and the retry of the client has none.
  it.each<[Fault, string, boolean]>([
    ['lost', '503 unavailable', true],
    ['failed', '503 unavailable', false],
    ['throttled', '503 busy', false],
  ])('heals by its retry when the first commit is %s: %s', async (fault, answer, isKept) => {
    const send = await prepare();
    let isFirst = true;
    const db = faultyDb(world.db, () => {
      const now = isFirst ? fault : undefined;
      isFirst = false;
      return now;
    });

    const first = await send(ledgerClient({ ...world, db }, ledger.tenantId), 'k');
    const second = await send(ledger, 'k');
    const third = await send(ledger, 'k');

    // A refusal is one plain write, of which throttling is an outage like any other.
    expect([answer, '503 unavailable']).toContain(told(first));
    expect(first.headers['retry-after']).toBe('1');
    expect(second.status).toBeLessThan(500);
    expect([second.replayed, third.replayed]).toEqual([isKept, true]);
    expect(essence(third)).toBe(essence(second));
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  // As when the connection breaks behind a write: it is sent again, and its own condition refuses.
  it('is answered when its commit was long in coming and asked for twice', async () => {
    const send = await prepare();
    const commit: Db['commit'] = async (writes) => {
      await world.db.commit(writes);
      world.clock.advance(5_000);
      return world.db.commit(writes);
    };

    const got = await send(
      ledgerClient({ ...world, db: { ...world.db, commit } }, ledger.tenantId),
      'k',
    );

    expect(got.status).toBeLessThan(500);
    expect(essence(await send(ledger, 'k'))).toBe(essence(got));
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('passes when the first commits only meet others', async () => {
    const send = await prepare();
    let left = 3;
    const db = faultyDb(world.db, () => {
      left -= 1;
      return left >= 0 ? 'conflict' : undefined;
    });

    const got = await send(ledgerClient({ ...world, db }, ledger.tenantId), 'k');

    expect([got.status < 500, got.replayed]).toEqual([true, false]);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });
});

it('never overdraws an account that many empty at once, whatever they call it', async () => {
  const sends: Send[] = [];
  for (const [, prepare] of ROUTES.slice(0, 8)) sends.push(await prepare());
  const debit = { type: 'debit', accountId: a, amount: '300', currency };

  const all = await Promise.all([
    ...Array.from({ length: 20 }, () => ledger.post('/v1/transactions', debit)),
    ...sends.map((send, n) => send(ledger, `k-${n}`)),
  ]);

  const unexpected = all.map(told).filter((it) => !/^(201|422 insuff.*|503 busy)$/.test(it));
  expect(unexpected).toEqual([]);
  expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
});

it('counts what follows an entry from a clock that was fast', async () => {
  const counted: string[] = [];
  const count = (name: string) => void counted.push(name);
  const { ledger, a, b } = await freshLedger(world, '100');
  const posting = { type: 'transfer', sourceAccountId: a, destinationAccountId: b };
  const transfer = { ...posting, amount: '1', currency: 'EUR' };
  const clientAt = (aheadMs: number) => {
    const clock = { ...world.clock, nowMs: () => world.clock.nowMs() + aheadMs };
    const meters = { ...world.meters, count };
    return ledgerClient({ ...world, clock, meters }, ledger.tenantId);
  };
  const ahead = () => counted.splice(0).includes('tallyhook_ledger_ahead_total');

  await clientAt(1_000).post('/v1/transactions', transfer);
  await clientAt(0).post('/v1/transactions', transfer);
  expect(ahead()).toBe(true);
  world.clock.advance(5);
  await clientAt(0).post('/v1/transactions', transfer);
  expect(ahead()).toBe(false);
});
