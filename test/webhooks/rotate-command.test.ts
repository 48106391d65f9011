import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { readKeyRing } from '../../functions/shared/key-ring.ts';
import { readMasterKey } from '../../functions/shared/sealed.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { limitsOf } from '../../functions/tenants/tenant.ts';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import { openSecrets } from '../../functions/webhooks/endpoint-sealing.ts';
import { SecretStore, secretsServer } from '../../local/secrets.ts';
import { useStillTime } from '../support/still-time.ts';
import { newTenant } from '../support/world.ts';
import { type DeliveryWorld, deliveryWorld, newEndpoint, SECRET } from './delivery-world.ts';

useStillTime();

const NAME = 'Tallyhook-WebhooksMasterKey0123ABCD';
const folder = mkdtempSync(join(tmpdir(), 'tallyhook-rotate-'));
const store = new SecretStore(join(folder, 'secrets.json'));
const server = secretsServer(store);
let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
  store.set(NAME, await world.secrets.read('master-key'));
  store.set('Tallyhook-TenantsAdminKey0123ABCD', 'another');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function command(...flags: readonly string[]) {
  const { port } = server.address() as AddressInfo;
  const where = ['--dynamodb', inject('engineUrl'), '--secrets', `http://127.0.0.1:${port}`];
  const { control, endpoints, inbox } = world.tables;
  const tables = { TABLE_CONTROL: control, TABLE_ENDPOINTS: endpoints, TABLE_INBOX: inbox };
  const env = { ...process.env, ...tables };
  return promisify(execFile)('node', ['bin/ops.ts', 'rotate', ...flags, ...where], { env });
}

it('seals every endpoint anew by one command, and shows no key', async () => {
  const tenantId = newTenant(world);
  const about = { name: 'Acme', mode: 'live', createdAtMs: world.clock.nowMs() } as const;
  const settings = { requireIdempotencyKeys: false };
  await world.db.commit([insertTenant({ id: tenantId, ...about, limits: limitsOf({}), settings })]);
  const endpoints = [1, 2, 3].map(() => newEndpoint(world, 'http://127.0.0.1:1/', { tenantId }));
  const [first] = await Promise.all(endpoints);

  const dry = await command('master-key', '--dry-run');
  expect(dry.stdout).toBe('3 endpoints and 0 sources, 0 with something sealed by an older key\n');
  expect(store.find(NAME)).toBe(await world.secrets.read('master-key'));

  const { stdout, stderr } = await command('master-key', '--wait', '0');
  expect(stdout.trim().split('\n')).toEqual([
    'version 2 is added; nothing is sealed with it yet',
    'version 2 is current: what is new is sealed with it',
    '3 endpoints and 0 sources, 3 sealed anew: all have version 2',
  ]);
  const ring = store.find(NAME) ?? '';
  const found = await findEndpoint(world.db, tenantId, first?.id ?? '');
  expect(found && openSecrets(found, readMasterKey(ring), 0)).toEqual([SECRET]);
  for (const key of Object.values(readKeyRing(ring).keys)) {
    expect(stdout + stderr).not.toContain(key);
  }
});

it.each([
  [[], 'ops: say what to rotate: master-key, cursor-key or admin-key'],
  [['master-key', '--wait', 'x'], 'ops: --wait is a number of seconds'],
  [['master-key', '--stack', 'Other'], 'ops: Other has 0 master keys'],
])('refuses %j in one line', async (flags, line) => {
  await expect(command(...flags)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining(line),
  });
});
