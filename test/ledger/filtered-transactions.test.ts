import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type LedgerClient, ledgerClient, told } from './ledger-client.ts';

let world: TestWorld;
let ledger: LedgerClient;
let a: string;
let b: string;
let times: string[];
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ledger = ledgerClient(world, newTenant(world));
  a = await ledger.open({}, '1000');
  b = await ledger.open({}, '1000');
  times = [];
});

const currency = 'EUR';

/** Posts what may be refused, and tells its id: what was rejected is the newest of its list. */
async function post(body: object): Promise<string> {
  world.clock.advance(10);
  times.push(new Date(world.clock.nowMs()).toISOString());
  const { body: answer } = await ledger.post('/v1/transactions', { currency, ...body });
  if (answer.id !== undefined) return answer.id;
  const rejected = await ledger.get('/v1/transactions?status=rejected&limit=1');
  return String(rejected.body.data[0]?.id);
}
const credit = (accountId: string, more: object = {}) =>
  post({ type: 'credit', accountId, amount: '1', ...more });
const transfer = (sourceAccountId: string, destinationAccountId: string, more: object = {}) =>
  post({ type: 'transfer', sourceAccountId, destinationAccountId, amount: '1', ...more });

/** All pages of a list, each as its ids. */
async function pagesOf(query: string): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor = '';
  do {
    const { status, body } = await ledger.get(`/v1/transactions?${query}${cursor}`);
    expect(status).toBe(200);
    pages.push(body.data.map((it) => it.id));
    cursor = body.nextCursor === undefined ? '' : `&cursor=${String(body.nextCursor)}`;
  } while (cursor !== '');
  return pages;
}

describe('transactions with a reference', () => {
  it('are those of one account where one is named, page by page', async () => {
    const reference = 'order-1';
    const first = await credit(a, { reference });
    await credit(b, { reference });
    await credit(a);
    const second = await transfer(a, b, { reference });
    await credit(a, { reference: 'order-2' });
    const third = await transfer(b, a, { reference });

    const query = `accountId=${a}&reference=${reference}`;
    expect(await pagesOf(query)).toEqual([[third, second, first]]);
    expect(await pagesOf(`${query}&limit=2`)).toEqual([[third, second], [first]]);
    expect(await pagesOf(`${query}&limit=1`)).toEqual([[third], [second], [first]]);
    expect(await pagesOf(`accountId=${a}&reference=nobody`)).toEqual([[]]);
  });

  it('are those of a period', async () => {
    const reference = 'order-1';
    await credit(a, { reference });
    const second = await credit(a, { reference });
    const third = await credit(a, { reference });
    await credit(a, { reference });

    const period = `from=${times[1]}&to=${times[3]}`;
    expect(await pagesOf(`accountId=${a}&reference=${reference}&${period}`)).toEqual([
      [third, second],
    ]);
  });

  it('are those of @world in the one currency', async () => {
    const dollars = await ledger.open({ currency: 'USD' });
    const reference = 'order-1';
    await credit(dollars, { reference, currency: 'USD' });
    await transfer(a, b, { reference });
    const euros = await credit(a, { reference });

    const query = `accountId=@world&reference=${reference}`;
    expect(await pagesOf(`${query}&currency=EUR`)).toEqual([[euros]]);
    expect(told(await ledger.get(`/v1/transactions?${query}`))).toBe('422 validation_failed');
  });

  it('are found behind many of other accounts, each of which is read once', async () => {
    const reference = 'order-1';
    const mine = await credit(a, { reference });
    for (let n = 0; n < 12; n += 1) await credit(b, { reference });
    world.takeUnits();

    expect(await pagesOf(`accountId=${a}&reference=${reference}&limit=1`)).toEqual([[mine]]);
    // The account; one page of the index; 13 transactions with what reversed them.
    expect(world.takeUnits()).toBeLessThanOrEqual(1 + 1 + 2 * 13);
  });

  it('are asked for by an account that there is', async () => {
    const nobody = `acc_${'0'.repeat(26)}`;
    const query = `accountId=${nobody}&reference=r`;
    expect(told(await ledger.get(`/v1/transactions?${query}`))).toBe('404 not_found');
    const stranger = ledgerClient(world, newTenant(world));
    const theirs = `/v1/transactions?accountId=${a}&reference=r`;
    expect(told(await stranger.get(theirs))).toBe('404 not_found');
  });
});

describe('what was rejected', () => {
  it('is listed by the accounts that it names', async () => {
    const reference = 'order-1';
    const [amount, status] = ['5000', 'rejected'];
    const refused = await transfer(a, b, { amount, reference });
    const other = await post({ type: 'debit', accountId: b, amount });
    await transfer(a, b, { reference });

    expect(await pagesOf(`accountId=${a}&status=${status}`)).toEqual([[refused]]);
    expect(await pagesOf(`accountId=${b}&status=${status}`)).toEqual([[other, refused]]);
    expect(await pagesOf(`accountId=${b}&status=${status}&limit=1`)).toEqual([[other], [refused]]);
    expect(await pagesOf(`accountId=${b}&status=${status}&reference=${reference}`)).toEqual([
      [refused],
    ]);
    expect(await pagesOf(`accountId=@world&currency=EUR&status=${status}`)).toEqual([[other]]);
  });
});

describe('what was rejected for its currency', () => {
  it('is listed by the account that it named', async () => {
    const refused = await credit(a, { currency: 'USD' });

    expect(await pagesOf(`accountId=${a}&status=rejected`)).toEqual([[refused]]);
    expect(await pagesOf('accountId=@world&currency=EUR&status=rejected')).toEqual([[]]);
  });
});

describe('the cursor of a filtered list', () => {
  it('opens no other list', async () => {
    const reference = 'r';
    await credit(a, { reference });
    await credit(a, { reference });
    const target = `/v1/transactions?limit=1&accountId=${a}&reference=${reference}`;
    const { nextCursor } = (await ledger.get(target)).body;

    const others = [
      `accountId=${b}&reference=r`,
      `accountId=${a}&reference=s`,
      `accountId=${a}&reference=r&status=rejected`,
      `accountId=${a}&reference=r&from=2020-01-01T00:00:00Z`,
      `accountId=${a}`,
      'reference=r',
    ];
    for (const other of others) {
      const answer = await ledger.get(`/v1/transactions?limit=1&${other}&cursor=${nextCursor}`);
      expect([other, told(answer)]).toEqual([other, '400 invalid_cursor']);
    }
    expect((await ledger.get(`${target}&cursor=${nextCursor}`)).body.data).toHaveLength(1);
  });
});
