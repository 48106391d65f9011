import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { openDb } from '../../functions/shared/aws/db.ts';
import type { Db, Item, Write } from '../../functions/shared/world.ts';
import { type AwsAnswer, sendAws } from '../../local/aws-call.ts';
import { frontServer } from '../../local/dynamodb/front.ts';
import { GroupCommit } from '../../local/dynamodb/group-commit.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let server: ReturnType<typeof frontServer>;
/** The tables through the front. */
let db: Db;
let pk: string;

beforeAll(async () => {
  world = await testWorld();
  server = frontServer(inject('engineUrl'));
  const endpoint = `http://127.0.0.1:${await listenExactly(server, 0)}`;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  db = openDb({ client, tables: world.tables });
});
afterAll(() => closeServer(server));
beforeEach(() => {
  pk = newTenant(world);
});

const put = (sk: string, fields: Item = {}, condition?: string): Write => ({
  kind: 'put',
  table: 'ledger',
  item: { pk, sk, ...fields },
  ...(condition && { condition }),
});
const add = (sk: string, extra: Partial<Write> = {}): Write =>
  ({
    kind: 'update',
    table: 'ledger',
    key: { pk, sk },
    update: 'ADD hits :one',
    values: { ':one': 1 },
    ...extra,
  }) as Write;
const commitEach = (writes: readonly Write[]) => Promise.all(writes.map((it) => db.commit([it])));

it('does every one of many writes at a time', async () => {
  const names = Array.from({ length: 250 }, (_, n) => `n${n}`);
  const commits = await commitEach(names.map((sk) => put(sk, { n: sk })));

  expect(new Set(commits.map((it) => it.ok))).toEqual(new Set([true]));
  const found = await world.db.getAll(names.map((sk) => ({ table: 'ledger', pk, sk })));
  expect(found.map((it) => it?.n)).toEqual(names);
});

it('refuses those whose condition fails, with their items, and does the others', async () => {
  await world.db.commit([put('taken', { n: 1 })]);
  const isFree = 'attribute_not_exists(pk)';
  const commits = await commitEach([
    put('a', {}, isFree),
    put('taken', { n: 2 }, isFree),
    put('b', {}, isFree),
    { ...put('missing'), kind: 'remove', key: { pk, sk: 'missing' }, condition: 'n = n' } as Write,
    put('c', {}, isFree),
  ]);

  const taken = { code: 'condition', item: { pk, sk: 'taken', n: 1 } };
  expect(commits[1]).toEqual({ ok: false, reasons: [taken] });
  expect(commits.map((it) => it.ok)).toEqual([true, false, true, false, true]);
  expect((await world.db.query({ table: 'ledger', pk })).items.map((it) => it.sk)).toEqual([
    ...['a', 'b', 'c', 'taken'],
  ]);
});

it('does writes of one item one after the other, each once', async () => {
  await commitEach(Array.from({ length: 120 }, () => add('count')));

  expect((await world.db.get('ledger', { pk, sk: 'count' }))?.hits).toBe(120);
});

it('lets only one of many claims of one item win', async () => {
  const commits = await commitEach(
    Array.from({ length: 20 }, (_, n) => put('claim', { n }, 'attribute_not_exists(pk)')),
  );

  expect(commits.filter((it) => it.ok)).toHaveLength(1);
});

it('hands on what a single write alone can answer, reads, and transactions', async () => {
  const commit = await db.commit([add('count', { answersItem: true } as Partial<Write>)]);
  expect(commit).toEqual({ ok: true, item: { pk, sk: 'count', hits: 1 } });

  expect(await db.commit([put('x'), put('y')])).toEqual({ ok: true });
  expect(await db.get('ledger', { pk, sk: 'x' })).toEqual({ pk, sk: 'x' });
});

it('tells of a write that the engine does not take, and does those beside it', async () => {
  const [good, bad] = await Promise.allSettled([
    db.commit([put('good')]),
    db.commit([put('bad', {}, 'not a condition')]),
  ]);

  expect(good).toEqual({ status: 'fulfilled', value: { ok: true } });
  expect(bad).toMatchObject({ status: 'rejected', reason: { name: 'ValidationException' } });
});

const plain = (sk: string, size = 0) => {
  const input = { TableName: world.tables.ledger, Item: { pk: { S: pk }, sk: { S: sk } } };
  const padded = size > 0 ? { ...input.Item, pad: { S: 'x'.repeat(size) } } : input.Item;
  const item = { ...input, Item: padded };
  return { operation: 'PutItem', body: JSON.stringify(item), input: item, name: sk };
};

it('commits many by one call of the engine, and none over its limits', async () => {
  const calls: string[] = [];
  const commits = new GroupCommit((operation, body) => {
    const { TransactItems = [] } = JSON.parse(body) as { TransactItems?: readonly object[] };
    calls.push(`${operation} ${TransactItems.length}`);
    return sendAws({ endpoint: inject('engineUrl'), service: 'dynamodb' }, operation, body);
  });
  const names = Array.from({ length: 150 }, (_, n) => `n${n}`);
  await Promise.all(names.map((sk) => commits.write(plain(sk))));
  expect(calls.splice(0)).toEqual(['TransactWriteItems 100', 'TransactWriteItems 50']);

  const large = [300_000, 300_000, 300_000, 300_000].map((size, n) => plain(`l${n}`, size));
  const answers = await Promise.all(large.map((it) => commits.write(it)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(calls).toEqual(['TransactWriteItems 3', 'PutItem 0']);
});

it.each([
  ['is gone', () => Promise.reject(new Error('ECONNRESET'))],
  ['fails', () => Promise.resolve<AwsAnswer>({ status: 500, body: '{}' })],
])('tries nothing again when the engine %s: nobody knows what was done', async (_how, answer) => {
  let calls = 0;
  const commits = new GroupCommit(() => {
    calls += 1;
    return answer();
  });
  const answers = await Promise.allSettled([commits.write(plain('a')), commits.write(plain('b'))]);

  expect(calls).toBe(1);
  for (const it of answers) {
    if (it.status === 'fulfilled') expect(it.value.status).toBe(500);
    else expect(it.reason.message).toBe('ECONNRESET');
  }
});
