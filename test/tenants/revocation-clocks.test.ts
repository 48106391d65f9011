import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NOON_MS, type TestWorld, testClock, testWorld } from '../support/world.ts';
import { type Ask, newTenantAt, tenantsInstance } from './tenants-api.ts';

const AHEAD_MS = 5 * 60_000;

let world: TestWorld;
let ask: Ask;
let key: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ask = tenantsInstance(world);
  ({ key } = await newTenantAt(ask, world));
});

/** An instance whose clock differs by this. */
const instanceAt = (offsetMs: number) =>
  tenantsInstance({ ...world, clock: testClock(NOON_MS + offsetMs) });
const make = async (body: object = {}) =>
  (await ask('POST /v1/keys', { key, body: { name: 'k', scopes: ['*'], ...body } })).body;
const opens = async (raw: string | undefined, instance: Ask) =>
  (await instance('GET /v1/tenant', { key: raw })).status;
const statusOf = async (id: string) => (await ask(`GET /v1/keys/${id}`, { key })).body.status;

describe.each([
  ['ahead', AHEAD_MS],
  ['behind', -AHEAD_MS],
])('a key that is ended by a clock that is five minutes %s', (_where, offsetMs) => {
  it('opens nothing on an instance that has not seen it', async () => {
    const doomed = await make();
    const { body } = await instanceAt(offsetMs)(`DELETE /v1/keys/${doomed.id}`, { key });

    expect(body.status).toBe('revoked');
    expect(await opens(doomed.key, tenantsInstance(world))).toBe(401);
    expect(await statusOf(doomed.id)).toBe('revoked');
  });

  it('makes no other one', async () => {
    const leaked = await make({ scopes: ['keys:write'] });
    expect((await ask('GET /v1/tenant', { key: leaked.key })).status).toBe(200);
    await instanceAt(offsetMs)(`DELETE /v1/keys/${leaked.id}`, { key });
    const body = { name: 'k', scopes: ['keys:write'] };

    expect((await ask('POST /v1/keys', { key: leaked.key, body })).status).toBe(401);
    const rotate = `POST /v1/keys/${leaked.id}/rotate`;
    expect((await ask(rotate, { key: leaked.key, body: {} })).status).toBe(401);
    expect((await ask(rotate, { key, body: {} })).body.code).toBe('conflict');
  });

  it('is replaced at once by a rotation without an overlap', async () => {
    const old = await make();
    const rotate = `POST /v1/keys/${old.id}/rotate`;
    const next = await instanceAt(offsetMs)(rotate, { key, body: {} });

    expect(await opens(old.key, tenantsInstance(world))).toBe(401);
    expect(await opens(next.body.key, tenantsInstance(world))).toBe(200);
  });

  it('opens nothing in what was left of its overlap', async () => {
    const old = await make();
    await ask(`POST /v1/keys/${old.id}/rotate`, { key, body: { overlapSeconds: 60 } });
    await instanceAt(offsetMs)(`DELETE /v1/keys/${old.id}`, { key });

    expect(await opens(old.key, tenantsInstance(world))).toBe(401);
    expect(await statusOf(old.id)).toBe('revoked');
  });
});

it('ends a key at once that is rotated with an overlap at the same moment', async () => {
  const old = await make();
  let isFirst = true;
  // Between what the revocation reads and what it writes, by a clock that is behind.
  const get: TestWorld['db']['get'] = async (table, at) => {
    const item = await world.db.get(table, at);
    if (isFirst && at.sk === `KEY#${old.id}`) {
      isFirst = false;
      const body = { overlapSeconds: 60 };
      await instanceAt(-AHEAD_MS)(`POST /v1/keys/${old.id}/rotate`, { key, body });
    }
    return item;
  };
  const revoking = tenantsInstance({ ...world, db: { ...world.db, get } });
  const { status, body } = await revoking(`DELETE /v1/keys/${old.id}`, { key });

  expect([status, body.status]).toEqual([200, 'revoked']);
  expect(await opens(old.key, instanceAt(-AHEAD_MS))).toBe(401);
});
