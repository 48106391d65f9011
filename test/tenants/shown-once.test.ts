import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Db } from '../../functions/shared/world.ts';
import { type TestWorld, testWorld } from '../support/world.ts';
import { type Ask, newTenantAt, tenantsInstance } from './tenants-api.ts';

let world: TestWorld;
let ask: Ask;
let key: string;
let adminKey: string;
beforeAll(async () => {
  world = await testWorld();
});
beforeEach(async () => {
  ask = tenantsInstance(world);
  ({ key, adminKey } = await newTenantAt(ask, world));
});

/**
 * An instance whose first commit of several items is done, and said to be under way: so answers
 * DynamoDB the SDK, which asks again when no answer came in time.
 */
function instanceInDoubt(): Ask {
  let isFirst = true;
  const commit: Db['commit'] = async (writes) => {
    const done = await world.db.commit(writes);
    if (!isFirst || writes.length === 1) return done;
    isFirst = false;
    return { ok: false, reasons: writes.map(() => ({ code: 'conflict' })) };
  };
  return tenantsInstance({ ...world, db: { ...world.db, commit } });
}

describe.each([{}, { idempotencyKey: 'one' }])('a commit that meets itself, with %o', (sent) => {
  const opens = async (raw: string | undefined) =>
    (await ask('GET /v1/tenant', { key: raw })).status;

  it('shows the new key', async () => {
    const asked = { key, body: { name: 'k', scopes: ['*'] }, ...sent };
    const made = await instanceInDoubt()('POST /v1/keys', asked);

    expect([made.status, await opens(made.body.key)]).toEqual([201, 200]);
    expect(made.headers['idempotent-replayed']).toBeUndefined();
  });

  it('shows the successor of a key that has ended by it', async () => {
    const { id } = (await ask('POST /v1/keys', { key, body: { name: 'k', scopes: ['*'] } })).body;
    const rotate = `POST /v1/keys/${id}/rotate`;
    const next = await instanceInDoubt()(rotate, { key, body: {}, ...sent });

    expect([next.status, await opens(next.body.key)]).toEqual([201, 200]);
  });

  it('shows the first key of a tenant', async () => {
    const body = { name: 'Acme' };
    const made = await instanceInDoubt()('POST /v1/tenants', { key: adminKey, body, ...sent });

    expect([made.status, await opens(made.body.apiKey?.key)]).toEqual([201, 200]);
    expect(made.headers['idempotent-replayed']).toBeUndefined();
  });
});
