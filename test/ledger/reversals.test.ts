import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import {
  faultsOf,
  freshLedger,
  type LedgerBody,
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
  ({ ledger, a, b } = await freshLedger(world, '100'));
});

const currency = 'EUR';
const post = (body: object) => ledger.post('/v1/transactions', { currency, ...body });
const transfer = (amount: string) =>
  post({ type: 'transfer', sourceAccountId: a, destinationAccountId: b, amount });
const reverse = (id: string, body: object = {}, key?: string) =>
  ledger.post(`/v1/transactions/${id}/reversals`, body, key);
const balances = async () =>
  Promise.all([a, b].map(async (it) => (await ledger.account(it)).balance));
const amountsOf = (entries: readonly LedgerBody[]) =>
  entries.map((it) => [it.accountId, it.amount]);

describe('a reversal', () => {
  it('posts the same postings with their sides exchanged, and both show it', async () => {
    const { body: original } = await transfer('30');

    const { status, body } = await reverse(original.id, { reference: 'r', description: 'Oops' });

    expect(status).toBe(201);
    expect(body).toMatchObject({
      ...{ type: 'reversal', reverses: original.id, reference: 'r', description: 'Oops' },
      entries: [
        { accountId: b, amount: '-30', balanceAfter: '0' },
        { accountId: a, amount: '30', balanceAfter: '100' },
      ],
    });
    const path = `/v1/transactions/${original.id}`;
    expect((await ledger.get(path)).body).toEqual({ ...original, reversedBy: body.id });
    expect((await ledger.get('/v1/transactions?limit=2')).body.data[1]).toMatchObject({
      reversedBy: body.id,
    });
  });

  it.each([
    ['a credit', { type: 'credit' }],
    ['a debit', { type: 'debit' }],
  ])('takes back %s', async (_what, kind) => {
    const { body } = await post({ ...kind, accountId: a, amount: '20' });

    expect(told(await reverse(body.id))).toBe('201');
    expect(await balances()).toEqual(['100', '0']);
  });

  it('takes back a journal of several currencies exactly', async () => {
    const usd = await ledger.open({ currency: 'USD' });
    const { body } = await ledger.post('/v1/transactions', {
      type: 'journal',
      postings: [
        { sourceAccountId: a, destinationAccountId: b, amount: '60', currency },
        { sourceAccountId: b, destinationAccountId: '@world', amount: '10', currency },
        { sourceAccountId: '@world', destinationAccountId: usd, amount: '11', currency: 'USD' },
      ],
    });

    const { body: reversal } = await reverse(body.id);

    const negative = amountsOf(body.entries).map(([id, it]) => [id, String(-BigInt(String(it)))]);
    expect(amountsOf(reversal.entries).toSorted()).toEqual(negative.toSorted());
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('takes back a capture; the hold stays captured', async () => {
    const hold = { accountId: a, amount: '50', currency, destinationAccountId: b };
    const { body: held } = await ledger.post('/v1/holds', hold);
    const { body } = await ledger.post(`/v1/holds/${held.id}/capture`, { amount: '40' });

    expect(told(await reverse(body.transaction.id))).toBe('201');
    expect(await balances()).toEqual(['100', '0']);
    expect((await ledger.get(`/v1/holds/${held.id}`)).body.status).toBe('captured');
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('comes once: another key is already_reversed, the same one a replay', async () => {
    const { body } = await transfer('30');
    const first = await reverse(body.id, {}, 'k-1');

    const again = await reverse(body.id, {}, 'k-1');

    expect([again.status, again.replayed, again.body]).toEqual([201, true, first.body]);
    expect(told(await reverse(body.id, {}, 'k-2'))).toBe('409 already_reversed');
    expect(told(await reverse(body.id, { reference: 'x' }, 'k-1'))).toBe(
      '422 idempotency_key_reused',
    );
    expect(await balances()).toEqual(['100', '0']);
  });

  it('comes once, however many ask under keys of their own', async () => {
    const { body } = await transfer('30');

    const all = await Promise.all(Array.from({ length: 10 }, () => reverse(body.id)));

    const answers = all.map(told).filter((it) => it !== '503 busy');
    expect(answers.filter((it) => it === '201')).toHaveLength(1);
    expect(new Set(answers)).toEqual(new Set(['201', '409 already_reversed']));
    expect(await balances()).toEqual(['100', '0']);
  });

  it('comes once also where no account has a balance that could collide', async () => {
    const fees = await ledger.open({ mode: 'derived' });
    const { body } = await post({ type: 'credit', accountId: fees, amount: '5' });

    const all = await Promise.all(Array.from({ length: 10 }, () => reverse(body.id)));

    expect(all.filter((it) => it.status === 201)).toHaveLength(1);
    expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
  });

  it('is already_reversed, not refused, if another one took the money in between', async () => {
    const { body } = await transfer('30');
    let isDone = false;
    const query: Db['query'] = async (...args) => {
      const page = await world.db.query(...args);
      if (!isDone) {
        isDone = true;
        await reverse(body.id);
      }
      return page;
    };
    const late = ledgerClient({ ...world, db: { ...world.db, query } }, ledger.tenantId);

    const answer = await late.post(`/v1/transactions/${body.id}/reversals`, {}, 'k');

    expect(told(answer)).toBe('409 already_reversed');
    expect((await ledger.get('/v1/transactions?status=rejected')).body.data).toEqual([]);
  });

  it('is one of ten parallel copies', async () => {
    const { body } = await transfer('30');

    const all = await Promise.all(Array.from({ length: 10 }, () => reverse(body.id, {}, 'k')));

    expect(new Set(all.map((it) => `${told(it)} ${it.body.id}`)).size).toBe(1);
    expect(all[0]?.status).toBe(201);
    expect(await balances()).toEqual(['100', '0']);
  });

  it('keeps its refusal; another key may try again', async () => {
    const { body } = await transfer('30');
    await post({ type: 'debit', accountId: b, amount: '1' });

    expect(told(await reverse(body.id, {}, 'k-1'))).toBe('422 insufficient_funds');
    await post({ type: 'credit', accountId: b, amount: '1' });
    const again = await reverse(body.id, {}, 'k-1');

    expect([told(again), again.replayed]).toEqual(['422 insufficient_funds', true]);
    expect(told(await reverse(body.id, {}, 'k-2'))).toBe('201');
  });

  it('is no object of a reversal, and neither is what was rejected', async () => {
    const { body } = await transfer('30');
    const { body: reversal } = await reverse(body.id);
    await transfer('999');
    await ledger.post('/v1/holds', { accountId: a, amount: '999', currency });
    const { data: rejected } = (await ledger.get('/v1/transactions?status=rejected')).body;

    expect(told(await reverse(reversal.id))).toBe('409 conflict');
    expect(rejected).toHaveLength(2);
    for (const { id } of rejected) expect(told(await reverse(id))).toBe('409 conflict');
  });

  it.each([
    ['nobody', () => `txn_${'0'.repeat(26)}`],
    ['a hold', (hold: string) => hold.replace('hld_', 'txn_')],
  ])('of %s is not_found', async (_what, idOf) => {
    const { body } = await ledger.post('/v1/holds', { accountId: a, amount: '9', currency });

    expect(told(await reverse(idOf(body.id)))).toBe('404 not_found');
  });

  it('belongs to its tenant', async () => {
    const { body } = await transfer('30');
    const other = ledgerClient(world, newTenant(world));

    expect(told(await other.post(`/v1/transactions/${body.id}/reversals`, {}))).toBe(
      '404 not_found',
    );
  });
});

describe('a replay', () => {
  it('shows the transaction as it is now: reversed', async () => {
    const [x, y] = [await ledger.open({}, '100'), await ledger.open()];
    const transfer = {
      ...{ type: 'transfer', amount: '1', currency: 'EUR' },
      ...{ sourceAccountId: x, destinationAccountId: y },
    };
    const single = await ledger.post('/v1/transactions', transfer, 'single');
    const batch = { atomic: true, transactions: [transfer] };
    const made = await ledger.post('/v1/transactions/batch', batch, 'batch');
    const ids = [single.body.id, made.body.transactions[0]?.id];
    const reversals = await Promise.all(
      ids.map(async (id) => (await ledger.post(`/v1/transactions/${id}/reversals`, {})).body.id),
    );

    const again = await ledger.post('/v1/transactions', transfer, 'single');
    const batchAgain = await ledger.post('/v1/transactions/batch', batch, 'batch');

    expect([again.body.reversedBy, batchAgain.body.transactions[0]?.reversedBy]).toEqual(reversals);
  });

  it('of a part of a batch, and of a capture, shows it as well', async () => {
    const [x, y] = [await ledger.open({}, '100'), await ledger.open()];
    const money = { amount: '1', currency: 'EUR' };
    const transfer = { type: 'transfer', ...money, sourceAccountId: x, destinationAccountId: y };
    const batch = { atomic: false, transactions: [{ ...transfer, idempotencyKey: 'part' }] };
    const asked = { ...money, accountId: x, destinationAccountId: y };
    const capture = `/v1/holds/${(await ledger.post('/v1/holds', asked)).body.id}/capture`;
    const part = (await ledger.post('/v1/transactions/batch', batch)).body.results[0]?.transaction;
    const captured = (await ledger.post(capture, {}, 'capture')).body.transaction;
    const reversals = await Promise.all(
      [part?.id, captured.id].map(
        async (id) => (await ledger.post(`/v1/transactions/${id}/reversals`, {})).body.id,
      ),
    );

    const partAgain = await ledger.post('/v1/transactions/batch', batch);
    const captureAgain = await ledger.post(capture, {}, 'capture');

    const shown = [partAgain.body.results[0]?.transaction, captureAgain.body.transaction];
    expect(shown.map((it) => it?.reversedBy)).toEqual(reversals);
  });
});
