import { beforeAll, describe, expect, it } from 'vitest';
import type { Authenticate } from '../../functions/shared/http/api.ts';
import { insertApiKey } from '../../functions/tenants/api-key.store.ts';
import {
  type ApiKey,
  formatKey,
  type KeyScopes,
  tracesOf,
} from '../../functions/tenants/api-key.ts';
import { authenticator } from '../../functions/tenants/authenticate.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { limitsOf } from '../../functions/tenants/tenant.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
let adminKey: string;
beforeAll(async () => {
  world = await testWorld();
  adminKey = await world.secrets.read('admin-key');
});

async function keyWith(scopes: KeyScopes) {
  const id = world.ids.next('key');
  const raw = formatKey('live', id, world.ids.secretBytes(32));
  const key: ApiKey = {
    id,
    tenantId: newTenant(world),
    name: 'test',
    scopes,
    ...tracesOf(raw),
    createdAtMs: world.clock.nowMs(),
  };
  await world.db.commit(insertApiKey(key));
  return { key, raw };
}

type Access = Parameters<Authenticate<unknown>>[1];

const arrivalOf = (token: string) => ({
  authorization: `Bearer ${token}`,
  address: '127.0.0.1',
});

async function outcome(token: string, access: Access): Promise<string> {
  const { refusal } = await authenticator()(arrivalOf(token), access, world);
  return refusal?.code ?? 'open';
}

describe('authenticate', () => {
  it.each<[KeyScopes, Access, string]>([
    [['*'], 'ledger:write', 'open'],
    [['ledger:write'], 'ledger:write', 'open'],
    [['ledger:write'], 'ledger:read', 'forbidden_scope'],
    [['ledger:write'], 'tenant', 'open'],
    [[], 'tenant', 'open'],
    [[], 'ledger:read', 'forbidden_scope'],
    [['*'], 'admin', 'forbidden_scope'],
  ])('a key with %j at a door for %s: %s', async (scopes, access, expected) => {
    const { raw } = await keyWith(scopes);

    expect(await outcome(raw, access)).toBe(expected);
  });

  it('tells what a key may besides', async () => {
    const ask = async (scopes: KeyScopes) => {
      const { raw } = await keyWith(scopes);
      return authenticator()(arrivalOf(raw), 'tenant', world);
    };
    const some = await ask(['tasks:write', 'events:write']);
    expect(some.allows?.('events:write')).toBe(true);
    expect(some.allows?.('ledger:write')).toBe(false);
    expect((await ask(['*'])).allows?.('ledger:write')).toBe(true);
    expect((await authenticator()(arrivalOf(adminKey), 'admin', world)).allows).toBeUndefined();
  });

  it.each<[Access, string]>([
    ['admin', 'open'],
    ['ledger:read', 'forbidden_scope'],
    ['tenant', 'forbidden_scope'],
  ])('the admin key at a door for %s: %s', async (access, expected) => {
    expect(await outcome(adminKey, access)).toBe(expected);
  });

  it('refuses keys that differ in one character, and noise', async () => {
    const { raw } = await keyWith(['*']);
    const other = raw.slice(0, -1) + (raw.endsWith('A') ? 'B' : 'A');

    expect(await outcome(other, 'tenant')).toBe('unauthorized');
    expect(await outcome('noise', 'tenant')).toBe('unauthorized');
    expect(await outcome(`${adminKey}x`, 'admin')).toBe('unauthorized');
  });

  it('reads a key and its tenant once in 30 seconds', async () => {
    const { raw, key } = await keyWith(['*']);
    await world.db.commit([
      insertTenant({
        ...{ id: key.tenantId as `ten_${string}`, name: 'Acme', mode: 'live' },
        ...{
          limits: limitsOf({}),
          settings: { requireIdempotencyKeys: false },
          createdAtMs: world.clock.nowMs(),
        },
      }),
    ]);
    const authenticate = authenticator();
    world.units.splice(0);
    const ask = () => authenticate(arrivalOf(raw), 'tenant', world);
    const reads = () => world.units.filter((it) => it.operation === 'get').length;

    expect(await ask()).toMatchObject({ tenantId: key.tenantId, keyId: key.id });
    world.clock.advance(29_999);
    await ask();
    expect(reads()).toBe(2);
    world.clock.advance(1);
    await ask();
    expect(reads()).toBe(4);
  });

  it('stores the hash of a key and never the key', async () => {
    const { raw, key } = await keyWith(['*']);
    const item = await world.db.get('control', { pk: `K#${key.hash}`, sk: '#' });

    expect(item?.hash).toMatch(/^[\da-f]{64}$/);
    expect(JSON.stringify(item)).not.toContain(raw.slice(-43));
  });
});
