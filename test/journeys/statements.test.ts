import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { DeleteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiClient, newAccount, newTenantOf } from '../support/api.ts';
import { snapshotOf } from '../support/cloud.ts';
import { checkStatements } from '../support/invariants/statements.ts';
import { until } from '../support/until.ts';

const { apiUrl, adminKey, dynamodbUrl, tables } = inject('cloud');
let api: ApiClient;
let tenantId: string;
beforeAll(async () => {
  ({ api, tenantId } = await newTenantOf(apiUrl, adminKey));
});

interface Entries {
  readonly data: readonly Readonly<Record<string, string | number>>[];
  readonly upToSeq?: number;
  readonly nextCursor?: string;
  readonly hasMore: boolean;
}

const entriesOf = (accountId: string, query = '', client = api) =>
  client.get<Entries>(`/v1/accounts/${accountId}/entries${query}`);

/** The statement once it has come to the account's version. */
async function caughtUp(accountId: string, client = api): Promise<Entries> {
  const { body: account } = await client.get(`/v1/accounts/${accountId}`);
  const { body } = await until(
    () => entriesOf(accountId, '?limit=100', client),
    (it) => it.body.upToSeq === account.version,
  );
  return body;
}

const transfer = async (sourceAccountId: string, destinationAccountId: string, amount: string) => {
  const about = { type: 'transfer', currency: 'EUR', reference: `order-${amount}` };
  const { status, body } = await api.post<{ id: string; createdAt: string }>('/v1/transactions', {
    ...about,
    sourceAccountId,
    destinationAccountId,
    amount,
  });
  expect(status).toBe(201);
  // So that no two of them are of one millisecond.
  await until(
    () => Date.now(),
    (ms) => ms > Date.parse(body.createdAt),
  );
  return body;
};

/** Whether all statements of the tenant have come to where the journal is. */
const areCaughtUp = () =>
  until(
    () => snapshotOf(tenantId),
    (it) => checkStatements(it).length === 0,
  );

describe('the statement of an account', () => {
  it('shows each entry with the balance after it, newest first', async () => {
    const [a, b] = [await newAccount(api, '1000'), await newAccount(api)];
    const first = await transfer(a, b, '300');
    const second = await transfer(b, a, '50');

    const { data, hasMore, upToSeq } = await caughtUp(a);

    expect([upToSeq, hasMore]).toEqual([3, false]);
    expect(data).toMatchObject([
      { seq: 3, transactionId: second.id, amount: '50', balanceAfter: '750' },
      { seq: 2, transactionId: first.id, amount: '-300', balanceAfter: '700' },
      { seq: 1, type: 'credit', amount: '1000', balanceAfter: '1000' },
    ]);
    expect(data[1]).toMatchObject({
      type: 'transfer',
      availableAfter: '700',
      at: first.createdAt,
      reference: 'order-300',
    });
  });

  it('comes in pages, whose cursor opens no other list', async () => {
    const [a, b] = [await newAccount(api, '100'), await newAccount(api)];
    for (let n = 1; n <= 5; n += 1) await transfer(a, b, String(n));
    const all = await caughtUp(a);
    await caughtUp(b);

    const seen: (string | number | undefined)[] = [];
    let cursor = '';
    do {
      const { body } = await entriesOf(a, `?limit=2${cursor}`);
      expect(body.upToSeq).toBe(6);
      seen.push(...body.data.map((it) => it.seq));
      cursor = body.nextCursor === undefined ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');

    expect(seen).toEqual(all.data.map((it) => it.seq));
    const { body } = await entriesOf(a, '?limit=2');
    for (const query of [`&from=${new Date(0).toISOString()}`, '']) {
      const of = query === '' ? b : a;
      const foreign = await entriesOf(of, `?limit=2&cursor=${body.nextCursor}${query}`);
      expect(foreign).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
    }
  });

  it('takes a period: from its beginning on, and not its end', async () => {
    const [a, b] = [await newAccount(api, '100'), await newAccount(api)];
    const made = [await transfer(a, b, '1'), await transfer(a, b, '2'), await transfer(a, b, '3')];
    await caughtUp(a);

    const [from, to] = [made[0]?.createdAt, made[2]?.createdAt];
    const { body } = await entriesOf(a, `?from=${from}&to=${to}`);

    expect(body.data.map((it) => it.transactionId)).toEqual([made[1]?.id, made[0]?.id]);
  });

  it('tells of holds as entries of nothing, so that seq has no gap', async () => {
    const [a, b] = [await newAccount(api, '1000'), await newAccount(api)];
    const hold = async (amount: string) => {
      const about = { accountId: a, amount, currency: 'EUR', destinationAccountId: b };
      return (await api.post<{ id: string }>('/v1/holds', about)).body.id;
    };
    const [kept, released] = [await hold('400'), await hold('100')];
    const captured = await api.post<{ transaction: { id: string } }>(`/v1/holds/${kept}/capture`, {
      amount: '250',
    });
    await api.post(`/v1/holds/${released}/void`);

    const { data } = await caughtUp(a);

    const transactionId = captured.body.transaction.id;
    expect(data).toMatchObject([
      { seq: 5, type: 'void', holdId: released, amount: '0', availableAfter: '750' },
      { seq: 4, type: 'capture', holdId: kept, transactionId, amount: '-250' },
      { seq: 3, type: 'hold', holdId: released, balanceAfter: '1000', availableAfter: '500' },
      { seq: 2, type: 'hold', holdId: kept, balanceAfter: '1000', availableAfter: '600' },
      { seq: 1, type: 'credit' },
    ]);
  });

  it.each([
    ['an unknown account', `acc_${'0'.repeat(26)}`, '', 404, 'not_found'],
    ['what is no account', 'txn_1', '', 404, 'not_found'],
    ['@world without a currency', '@world', '', 422, 'validation_failed'],
    ['a period that is no time', '@world', '?currency=EUR&from=now', 422, 'validation_failed'],
    ['a made-up cursor', '@world', '?currency=EUR&cursor=e30.e30', 400, 'invalid_cursor'],
  ])('is refused for %s', async (_what, accountId, query, status, code) => {
    const answer = await entriesOf(accountId, query);
    expect([answer.status, (answer.body as unknown as { code: string }).code]).toEqual([
      status,
      code,
    ]);
  });

  it('is that of the own tenant only', async () => {
    const a = await newAccount(api, '1000');
    const { api: other } = await newTenantOf(apiUrl, adminKey);
    expect((await entriesOf(a, '', other)).status).toBe(404);
  });
});

describe('the balance at a time', () => {
  it('is what it was after the entry at that instant, and before the next one', async () => {
    const [a, b] = [await newAccount(api, '1000'), await newAccount(api)];
    const made = [await transfer(a, b, '100'), await transfer(a, b, '200')];
    await caughtUp(a);
    const balanceAt = async (ms: number) =>
      (await api.get(`/v1/accounts/${a}?at=${new Date(ms).toISOString()}`)).body.balance;
    const [first, second] = made.map((it) => Date.parse(it.createdAt));

    expect(await balanceAt((first ?? 0) - 1)).toBe('1000');
    expect(await balanceAt(first ?? 0)).toBe('900');
    expect(await balanceAt((second ?? 0) - 1)).toBe('900');
    expect(await balanceAt(second ?? 0)).toBe('700');
  });
});

describe('a derived account', () => {
  it('has the entries and the sum of all that was posted to it', async () => {
    const { api: own } = await newTenantOf(apiUrl, adminKey);
    const fees = await own.post<{ id: string }>('/v1/accounts', {
      currency: 'EUR',
      mode: 'derived',
    });
    const a = await newAccount(own, '1000');
    const ids: string[] = [];
    for (const amount of ['3', '4', '5']) {
      const about = { sourceAccountId: a, destinationAccountId: fees.body.id, currency: 'EUR' };
      const { body } = await own.post<{ id: string }>('/v1/transactions', {
        type: 'transfer',
        ...about,
        amount,
      });
      ids.unshift(body.id);
    }

    const { body } = await until(
      () => entriesOf(fees.body.id, '', own),
      (it) => it.body.data.length === 3,
    );

    expect(body.data.map((it) => it.transactionId)).toEqual(ids);
    expect(body.data.map((it) => it.amount)).toEqual(['5', '4', '3']);
    expect(body).not.toHaveProperty('upToSeq');
    expect((await own.get(`/v1/accounts/${fees.body.id}`)).body.balance).toBe('12');
    const list = await own.get<{ data: { id: string }[] }>(
      `/v1/transactions?accountId=${fees.body.id}`,
    );
    expect(list.body.data.map((it) => it.id)).toEqual(ids);
    const ofWorld = await until(
      () => entriesOf('@world', '?currency=EUR&limit=1', own),
      (it) => it.body.data.length === 1,
    );
    expect(ofWorld.body.data).toMatchObject([{ type: 'credit', amount: '-1000' }]);
    expect((await entriesOf('%40world', '?currency=EUR', own)).body.data).toHaveLength(1);
    expect((await entriesOf('@world', '?currency=USD', own)).body.data).toEqual([]);
    const asset = await entriesOf('@world', `?currency=${encodeURIComponent('XYZ/6')}`, own);
    expect(asset).toMatchObject({ status: 200, body: { data: [], hasMore: false } });
  });
});

describe('the command that rebuilds statements', () => {
  const command = async (...flags: readonly string[]) => {
    const args = ['bin/ops.ts', 'rebuild', 'statements', '--tenant', tenantId];
    const { stdout } = await promisify(execFile)('node', [
      ...[...args, '--dynamodb', dynamodbUrl, ...flags],
    ]);
    return stdout.trim();
  };

  it('puts back what was lost, and says what it found', async () => {
    const [a, b] = [await newAccount(api, '1000'), await newAccount(api)];
    for (let n = 1; n <= 4; n += 1) await transfer(a, b, String(n));
    const before = await caughtUp(a);
    await areCaughtUp();
    const lost = await deleteLinesOf(a);
    expect(lost).toBe(5);
    expect((await entriesOf(a)).body).toMatchObject({ data: [], upToSeq: 0 });

    const dry = await command('--dry-run');
    expect(dry).toMatch(/ 5 missing, 0 different, 0 wrong totals: nothing was changed$/);
    expect((await entriesOf(a)).body.data).toEqual([]);
    expect(await command()).toMatch(/ 5 missing, 0 different, 0 wrong totals: put right$/);
    expect(await command()).toMatch(/ 0 missing, 0 different, 0 wrong totals$/);

    expect((await entriesOf(a, '?limit=100')).body).toEqual(before);
  });
});

const client = new DynamoDBClient({
  endpoint: dynamodbUrl,
  region: 'us-east-1',
  credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
});

async function deleteLinesOf(accountId: string): Promise<number> {
  const { statements } = await snapshotOf(tenantId);
  const lines = statements.filter((it) => it.pk === `${tenantId}#${accountId}`);
  for (const { pk, sk } of lines) {
    const Key = { pk: { S: String(pk) }, sk: { S: String(sk) } };
    await client.send(new DeleteItemCommand({ TableName: tables.statements, Key }));
  }
  return lines.length;
}

it('leaves statements that equal the journal, line by line', async () => {
  const snapshot = await areCaughtUp();

  expect(snapshot.ledger.length).toBeGreaterThan(30);
});
