import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOON_MS, type TestWorld, testWorld } from '../support/world.ts';
import { type Answer, type Ask, newTenantAt, tenantsInstance } from './tenants-api.ts';

let world: TestWorld;
let ask: Ask;
let key: string;
let adminKey: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  world.clock.set(NOON_MS);
  ask = tenantsInstance(world);
  ({ key, adminKey } = await newTenantAt(ask, world, { requestsPerSecond: 5, burst: 6 }));
});

const rateOf = ({ headers }: Answer) => [headers['ratelimit-policy'], headers.ratelimit];
const policy = '"default";q=5;w=1';

/** The statuses of so many requests, one after the other. */
async function many(count: number, asked: Parameters<Ask>[1], by = ask) {
  const answers = [];
  for (let n = 0; n < count; n += 1) answers.push(await by('GET /v1/tenant', asked));
  return answers;
}

const statusesOf = (answers: readonly Answer[]) => answers.map((it) => it.status);

describe('a key', () => {
  it('is told its limit with each answer, and refused above it', async () => {
    const answers = await many(7, { key });

    expect(statusesOf(answers)).toEqual([200, 200, 200, 200, 200, 200, 429]);
    expect(answers.map(rateOf).slice(0, 2)).toEqual([
      [policy, '"default";r=5;t=1'],
      [policy, '"default";r=4;t=1'],
    ]);
    const refused = answers[6] as Answer;
    expect(rateOf(refused)).toEqual([policy, '"default";r=0;t=1']);
    expect(refused.headers['retry-after']).toMatch(/^[12]$/);
    expect(refused.body).toMatchObject({ code: 'rate_limited', status: 429, retryable: true });
  });

  it('is told it with refusals as well', async () => {
    const nobody = await ask(`GET /v1/keys/key_${'0'.repeat(26)}`, { key });
    const wrong = await ask('POST /v1/keys', { key, body: { name: 7 } });
    const closed = await ask('GET /v1/tenants', { key });

    expect(statusesOf([nobody, wrong, closed])).toEqual([404, 422, 403]);
    expect([nobody, wrong, closed].map(rateOf)).toEqual([
      [policy, '"default";r=5;t=1'],
      [policy, '"default";r=4;t=1'],
      [policy, '"default";r=3;t=1'],
    ]);
  });

  it('keeps to one limit on all instances', async () => {
    const [one, other] = [tenantsInstance(world), tenantsInstance(world)];
    const answers = [...(await many(4, { key }, one)), ...(await many(4, { key }, other))];

    expect(statusesOf(answers)).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
  });

  it('has its own limit, and never more than its tenant has by now', async () => {
    const rateLimit = { perSecond: 2, burst: 2 };
    const body = { name: 'slow', scopes: ['*'], rateLimit };
    const slow = (await ask('POST /v1/keys', { key, body })).body.key;

    expect(statusesOf(await many(3, { key: slow }))).toEqual([200, 200, 429]);
    expect(rateOf((await many(1, { key: slow }))[0] as Answer)[0]).toBe('"default";q=2;w=1');
    expect(statusesOf(await many(1, { key }))).toEqual([200]);

    const path = `PATCH /v1/tenants/${(await many(1, { key }))[0]?.body.id}`;
    const limits = { requestsPerSecond: 1, burst: 1 };
    await ask(path, { key: adminKey, body: { limits } });
    world.clock.advance(30_000);
    expect(statusesOf(await many(2, { key: slow }))).toEqual([200, 429]);
  });

  it('costs one write per request below 10 a second, and none when refused', async () => {
    await ask('GET /v1/tenant', { key });
    world.units.splice(0);
    await many(10, { key });

    const writes = world.units.filter((it) => it.operation === 'update');
    expect(writes.map((it) => it.consumed[0]?.CapacityUnits)).toEqual([1, 1, 1, 1, 1]);
  });
});

describe('whoever has no valid key', () => {
  it('is refused 20 times, then told to wait, while others are not', async () => {
    const address = '198.51.100.9';
    const answers = await many(22, { key: 'th_live_nonsense', address });
    world.clock.advance(3_000);
    const later = await many(2, { address });

    expect(statusesOf(answers)).toEqual([...Array<number>(20).fill(401), 429, 429]);
    expect(answers[21]?.headers['retry-after']).toMatch(/^[345]$/);
    expect(answers[21]?.headers['ratelimit-policy']).toBeUndefined();
    expect(statusesOf(later)).toEqual([401, 429]);
    expect(statusesOf(await many(1, { address: '198.51.100.10' }))).toEqual([401]);
    expect(statusesOf(await many(1, { key, address }))).toEqual([200]);
  });

  it('is one with whoever else has its network', async () => {
    const from = (tail: string) => many(11, { address: `2001:db8:7:7:${tail}` });
    const statuses = statusesOf([...(await from(':1')), ...(await from('ffff::1'))]);

    expect(statuses).toEqual([...Array<number>(20).fill(401), 429, 429]);
  });

  it('is not counted on this machine, and neither is the operator', async () => {
    const local = await many(25, { address: '127.0.0.1' });
    const operator = [];
    for (let n = 0; n < 25; n += 1) operator.push(await ask('GET /v1/tenant', { key: adminKey }));

    expect(new Set(statusesOf(local))).toEqual(new Set([401]));
    expect(new Set(statusesOf(operator))).toEqual(new Set([403]));
  });
});
