import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { costOf as costIn } from '../support/cost.ts';
import { UNITS } from '../support/units.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
let b: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ledger = ledgerClient(world, newTenant(world));
  [a, b] = [await ledger.open({}, '1000000'), await ledger.open()];
});

const currency = 'EUR';
const transfer = () => ({
  type: 'transfer',
  sourceAccountId: a,
  destinationAccountId: b,
  amount: '100',
  currency,
});
const hold = (over: object = {}) => ({
  accountId: a,
  amount: '100',
  currency,
  destinationAccountId: b,
  ...over,
});
const inAnHour = () => new Date(world.clock.nowMs() + 3_600_000).toISOString();

const costOf = (work: () => Promise<unknown>) => costIn(world, work);

const done = async (answer: Promise<{ status: number; body: object }>, status = 201) => {
  const { status: got, body } = await answer;
  expect([got, body]).toEqual([status, body]);
};

describe('what a request costs', () => {
  it.each<[string, string, () => Promise<unknown>]>([
    ['a transfer', UNITS.transfer, () => done(ledger.post('/v1/transactions', transfer()))],
    [
      'a transfer with a reference',
      '3 RRU, 8 + 3 WRU',
      () => done(ledger.post('/v1/transactions', { ...transfer(), reference: 'order-1' })),
    ],
    [
      'a credit',
      UNITS.credit,
      () =>
        done(
          ledger.post('/v1/transactions', { type: 'credit', accountId: a, amount: 1, currency }),
        ),
    ],
    [
      'a transfer with a reference and six digits',
      '3 RRU, 8 + 3 WRU',
      () => {
        const more = { amount: '123456', reference: 'order-2026-0001' };
        return done(ledger.post('/v1/transactions', { ...transfer(), ...more }));
      },
    ],
    [
      'a debit',
      '2 RRU, 6 + 2 WRU',
      () =>
        done(ledger.post('/v1/transactions', { type: 'debit', accountId: a, amount: 1, currency })),
    ],
    [
      'a refusal',
      '3 RRU, 1 + 1 WRU',
      () => done(ledger.post('/v1/transactions', { ...transfer(), amount: '1000001' }), 422),
    ],
    [
      'a dry run',
      '3 RRU, 0 + 0 WRU',
      () => done(ledger.post('/v1/transactions', { ...transfer(), dryRun: true }), 200),
    ],
    ['a hold without expiry', UNITS.hold, () => done(ledger.post('/v1/holds', hold()))],
    [
      'a hold with expiry',
      '3 RRU, 6 + 3 WRU',
      () => done(ledger.post('/v1/holds', hold({ expiresAt: inAnHour() }))),
    ],
    ['an account', '0 RRU, 6 + 3 WRU', () => done(ledger.post('/v1/accounts', { currency }))],
    [
      'an account with an external id',
      '0 RRU, 8 + 3 WRU',
      () => done(ledger.post('/v1/accounts', { currency, externalId: 'e-1' })),
    ],
    [
      'another name of an account',
      '2 RRU, 4 + 1 WRU',
      () => done(ledger.patch(`/v1/accounts/${a}`, { name: 'other' }), 200),
    ],
    [
      'another status of an account',
      '1 RRU, 6 + 3 WRU',
      () => done(ledger.patch(`/v1/accounts/${a}`, { status: 'frozen' }), 200),
    ],
    [
      'an atomic batch of two transfers on two accounts',
      '3 RRU, 12 + 4 WRU',
      () => {
        const transactions = [transfer(), transfer()];
        return done(ledger.post('/v1/transactions/batch', { atomic: true, transactions }));
      },
    ],
    ['a balance', '1 RRU, 0 + 0 WRU', () => done(ledger.get(`/v1/accounts/${a}`), 200)],
  ])('%s: %s', async (_what, cost, work) => {
    expect(await costOf(work)).toBe(cost);
  });

  it.each([
    ['capture of a hold with expiry', true, 'capture', '4 RRU, 12 + 5 WRU'],
    ['capture of a hold without expiry', false, 'capture', UNITS.capture],
    ['void of a hold with expiry', true, 'void', '3 RRU, 8 + 5 WRU'],
    ['void of a hold without expiry', false, 'void', '3 RRU, 8 + 4 WRU'],
  ])('a %s', async (_what, expires, verb, cost) => {
    const { body } = await ledger.post('/v1/holds', hold(expires ? { expiresAt: inAnHour() } : {}));
    const path = `/v1/holds/${body.id}/${verb}`;
    const call = verb === 'void' ? undefined : {};

    expect(await costOf(() => ledger.post(path, call))).toBe(cost);
  });

  it('an expiry: 4 RRU, 8 + 5 WRU', async () => {
    const { body } = await ledger.post('/v1/holds', hold({ expiresAt: inAnHour() }));
    world.clock.advance(3_600_000);
    const message = { pk: `${ledger.tenantId}#${body.id.slice(4)}`, dueMs: world.clock.nowMs() };

    expect(await costOf(() => expireHold(message, world))).toBe('4 RRU, 8 + 5 WRU');
    expect((await ledger.get(`/v1/holds/${body.id}`)).body.status).toBe('expired');
  });

  it('a reversal: 4 RRU, 10 + 2 WRU', async () => {
    const { body } = await ledger.post('/v1/transactions', transfer());

    const cost = await costOf(() => ledger.post(`/v1/transactions/${body.id}/reversals`, {}));

    expect(cost).toBe('4 RRU, 10 + 2 WRU');
  });

  it('a replay writes nothing, whatever it replays', async () => {
    const { body: held } = await ledger.post('/v1/holds', hold());
    const { body: other } = await ledger.post('/v1/holds', hold());
    const { body: posted } = await ledger.post('/v1/transactions', transfer());
    const calls: [string, unknown, string][] = [
      // One more for what may have reversed it since, as for a capture.
      ['/v1/transactions', transfer(), '4 RRU'],
      ['/v1/transactions', { ...transfer(), amount: '9999999' }, '3 RRU'],
      [`/v1/transactions/${posted.id}/reversals`, {}, '4 RRU'],
      ['/v1/holds', hold(), '3 RRU'],
      [`/v1/holds/${held.id}/capture`, {}, '5 RRU'],
      [`/v1/holds/${other.id}/void`, undefined, '3 RRU'],
    ];
    for (const [path, call, reads] of calls) {
      const key = path + JSON.stringify(call ?? '');
      const first = await ledger.post(path, call, key);
      const cost = await costOf(async () => {
        const again = await ledger.post(path, call, key);
        expect([path, again.replayed, again.status]).toEqual([path, true, first.status]);
      });
      expect(`${path}: ${cost}`).toBe(`${path}: ${reads}, 0 + 0 WRU`);
    }
  });
});
