import { beforeAll, expect, it } from 'vitest';
import { type TestWorld, testWorld } from '../support/world.ts';
import { newTenantAt, tenantsInstance } from './tenants-api.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const body = { name: 'k', scopes: ['*'] };

it('asks for an Idempotency-Key with every creation where the tenant wants that', async () => {
  const ask = tenantsInstance(world);
  const { tenantId, key, adminKey } = await newTenantAt(ask, world);
  expect((await ask('POST /v1/keys', { key, body })).status).toBe(201);

  const settings = { requireIdempotencyKeys: true };
  const change = { key: adminKey, body: { settings } };
  const changed = await ask(`PATCH /v1/tenants/${tenantId}`, change);
  world.clock.advance(31_000);

  expect(changed.body.settings).toEqual(settings);
  expect((await ask('GET /v1/tenant', { key })).body.settings).toEqual(settings);
  expect((await ask('POST /v1/keys', { key, body })).body.code).toBe('idempotency_key_required');
  expect((await ask('POST /v1/keys', { key, body, idempotencyKey: 'one' })).status).toBe(201);
});

it('keeps the mode that it was made with, by which its endpoints go', async () => {
  const ask = tenantsInstance(world);
  const { tenantId, key, adminKey } = await newTenantAt(ask, world);
  const change = { key: adminKey, body: { mode: 'test' } };

  expect((await ask(`PATCH /v1/tenants/${tenantId}`, change)).body.code).toBe('validation_failed');
  expect((await ask('GET /v1/tenant', { key })).body.mode).toBe('live');
});

it('is made with its settings, which are off unless they are asked for', async () => {
  const ask = tenantsInstance(world);
  const adminKey = await world.secrets.read('admin-key');
  const settingsOf = async (asked: object) =>
    (await ask('POST /v1/tenants', { key: adminKey, body: { name: 'Acme', ...asked } })).body
      .settings;

  expect(await settingsOf({})).toEqual({ requireIdempotencyKeys: false });
  const settings = { requireIdempotencyKeys: true };
  expect(await settingsOf({ settings })).toEqual(settings);
});
