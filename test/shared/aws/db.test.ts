import { DynamoDBClient, TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { openDb } from '../../../functions/shared/aws/db.ts';
import type { Item, Write } from '../../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../../support/world.ts';

let world: TestWorld;
let pk: string;
beforeAll(async () => {
  world = await testWorld();
  pk = newTenant(world);
});

const put = (sk: string, fields: Item = {}, condition?: string): Write => ({
  kind: 'put',
  table: 'ledger',
  item: { pk, sk, ...fields },
  ...(condition && { condition }),
});

describe('values', () => {
  it.each([
    [0, 0],
    [-7, -7],
    [1.5, 1.5],
    [9_007_199_254_740_991n, 9_007_199_254_740_991],
    [9_007_199_254_740_993n, 9_007_199_254_740_993n],
    [-(10n ** 30n), -(10n ** 30n)],
    ['ü🙂', 'ü🙂'],
    [
      [1, { a: null }],
      [1, { a: null }],
    ],
    [true, true],
    [
      { constructor: 'x', name: 'Set' },
      { constructor: 'x', name: 'Set' },
    ],
    [new Set(['a']), new Set(['a'])],
  ])('%s comes back as %s', async (value, expected) => {
    await world.db.commit([put('value', { value })]);

    expect((await world.db.get('ledger', { pk, sk: 'value' }))?.value).toEqual(expected);
  });

  it('leaves absent fields out', async () => {
    await world.db.commit([put('absent', { value: undefined })]);

    expect(await world.db.get('ledger', { pk, sk: 'absent' })).toEqual({ pk, sk: 'absent' });
  });
});

describe('getAll', () => {
  it('answers in the order of the keys, twice what is asked twice, beyond one batch', async () => {
    const many = Array.from({ length: 120 }, (_, n) => `many-${n}`);
    await Promise.all(many.map((sk) => world.db.commit([put(sk, { name: sk })])));
    const asked = [...many, 'nobody', 'many-3'].reverse();

    const items = await world.db.getAll(asked.map((sk) => ({ table: 'ledger', pk, sk })));

    expect(items.map((it) => it?.name)).toEqual(
      asked.map((it) => (it === 'nobody' ? undefined : it)),
    );
  });
});

describe('commit', () => {
  it('answers a refused single write with the item as it was found', async () => {
    await world.db.commit([put('taken', { owner: 'first' })]);

    const commit = await world.db.commit([
      put('taken', { owner: 'second' }, 'attribute_not_exists(pk)'),
    ]);

    expect(commit).toEqual({
      ok: false,
      reasons: [{ code: 'condition', item: { pk, sk: 'taken', owner: 'first' } }],
    });
  });

  it('answers a refused transaction with one reason per write, and writes nothing', async () => {
    await world.db.commit([put('held', { owner: 'first' })]);

    const commit = await world.db.commit([
      put('fresh'),
      put('held', {}, 'attribute_not_exists(pk)'),
    ]);

    expect(commit).toEqual({
      ok: false,
      reasons: [{ code: 'none' }, { code: 'condition', item: { pk, sk: 'held', owner: 'first' } }],
    });
    expect(await world.db.get('ledger', { pk, sk: 'fresh' })).toBeUndefined();
  });

  it('does nothing for no writes, and refuses more than a transaction can hold', async () => {
    expect(await world.db.commit([])).toEqual({ ok: true });
    const tooMany = Array.from({ length: 101 }, (_, n) => put(`x${n}`));
    await expect(world.db.commit(tooMany)).rejects.toThrow('a commit of 101 writes');
  });

  // No local engine ever answers these, so they are put in its mouth.
  it.each([
    [
      ['TransactionConflict', 'None'],
      ['conflict', 'none'],
    ],
    [
      ['None', 'ThrottlingError'],
      ['none', 'throttled'],
    ],
    [
      ['ProvisionedThroughputExceeded', 'ConditionalCheckFailed'],
      ['throttled', 'condition'],
    ],
    [
      ['ItemCollectionSizeLimitExceeded', 'None'],
      ['other', 'none'],
    ],
  ])('reads the cancellation %j as %j', async (codes, expected) => {
    const db = dbThatFailsWith(
      new TransactionCanceledException({
        message: 'cancelled',
        $metadata: {},
        CancellationReasons: codes.map((Code) => ({ Code })),
      }),
    );

    const commit = await db.commit([put('a'), put('b')]);

    expect(commit.ok ? [] : commit.reasons.map((it) => it.code)).toEqual(expected);
  });

  it('reads a transaction that is in progress as a conflict', async () => {
    const commit = await dbThatFailsWith(named('TransactionInProgressException')).commit([
      put('a'),
      put('b'),
    ]);

    const codes = commit.ok ? [] : commit.reasons.map((it) => it.code);
    expect(codes).toEqual(['conflict', 'conflict']);
  });
});

describe('a single write with a transaction in its way', () => {
  const inTheWay = named('TransactionConflictException');

  it('is tried again until it is done, or refused by its own condition', async () => {
    const db = dbThatFailsWith(inTheWay, 3);
    expect(await db.commit([put('conflict', { n: 1 })])).toEqual({ ok: true });
    expect((await world.db.get('ledger', { pk, sk: 'conflict' }))?.n).toBe(1);

    const absent = put('conflict', { n: 2 }, 'attribute_not_exists(pk)');
    expect(await dbThatFailsWith(inTheWay, 3).commit([absent])).toMatchObject({
      ok: false,
      reasons: [{ code: 'condition', item: { n: 1 } }],
    });
  });

  it('is not taken for a refused one when that does not end', async () => {
    const commit = dbThatFailsWith(inTheWay).commit([put('never')]);

    await expect(commit).rejects.toMatchObject({ code: 'busy' });
    expect(await world.db.get('ledger', { pk, sk: 'never' })).toBeUndefined();
  });
});

describe('an outage', () => {
  it.each([
    ['a throttled table', named('ProvisionedThroughputExceededException')],
    ['a fault of the server', Object.assign(named('InternalServerError'), { $fault: 'server' })],
    ['a refused connection', Object.assign(named('Error'), { code: 'ECONNREFUSED' })],
    ['a resolver that is down', Object.assign(named('Error'), { code: 'EAI_AGAIN' })],
    ['a network that is down', Object.assign(named('Error'), { code: 'ENETUNREACH' })],
    ['a timeout', named('TimeoutError')],
  ])('%s is a 503 that asks for the same Idempotency-Key', async (_what, error) => {
    await expect(dbThatFailsWith(error).get('ledger', { pk, sk: 'a' })).rejects.toMatchObject({
      code: 'unavailable',
      facts: { retryAfterSeconds: 1 },
    });
  });

  it('is not made of a fault of ours', async () => {
    const db = dbThatFailsWith(named('ValidationException'));

    await expect(db.get('ledger', { pk, sk: 'a' })).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('the SDK', () => {
  it('makes no lines of each call for a log', async () => {
    const told: unknown[] = [];
    const other = () => undefined;
    const info = (line: unknown) => void told.push(line);
    const logger = { debug: other, info, warn: other, error: other };
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const settings = { endpoint: inject('engineUrl'), region: 'us-east-1', credentials };
    const client = new DynamoDBClient({ ...settings, logger });

    await openDb({ client, tables: world.tables }).get('ledger', { pk, sk: 'a' });

    expect(told).toEqual([]);
  });
});

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

/** The adapter on a client whose first so many calls fail like this. */
function dbThatFailsWith(error: Error, times = Infinity) {
  const client = new DynamoDBClient({
    endpoint: inject('engineUrl'),
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  let calls = 0;
  client.middlewareStack.add(
    (next) => async (args) => {
      calls += 1;
      if (calls <= times) throw error;
      return next(args);
    },
    { step: 'initialize' },
  );
  return openDb({ client, tables: world.tables });
}
