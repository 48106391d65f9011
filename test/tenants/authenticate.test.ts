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

async function outcome(token: string, access: Access): Promise<string> {
  return authenticator()(`Bearer ${token}`, access, world).then(
    () => 'open',
    (error: { code: string }) => error.code,
  );
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

  it('reads a key once in 30 seconds', async () => {
    const { raw, key } = await keyWith(['*']);
    const authenticate = authenticator();
    world.units.splice(0);
    const ask = () => authenticate(`Bearer ${raw}`, 'tenant', world);

    expect(await ask()).toMatchObject({ tenantId: key.tenantId, keyId: key.id });
    world.clock.advance(29_999);
    await ask();
    expect(world.units).toHaveLength(1);
    world.clock.advance(1);
    await ask();
    expect(world.units).toHaveLength(2);
  });

  it('stores the hash of a key and never the key', async () => {
    const { raw, key } = await keyWith(['*']);
    const item = await world.db.get('control', { pk: `K#${key.hash}`, sk: '#' });

    expect(item?.hash).toMatch(/^[\da-f]{64}$/);
    expect(JSON.stringify(item)).not.toContain(raw.slice(-43));
  });
});
