import { expect, it } from 'vitest';
import { audit } from '../../bin/ops/audit.ts';
import type { Command } from '../../bin/ops/command.ts';
import { rebuild } from '../../bin/ops/rebuild.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { LIMITS_MAX } from '../../functions/tenants/tenant.ts';
import { newTenant, testWorld } from '../support/world.ts';
import { runOn } from './desk.ts';

const COMMANDS: readonly [Command, string[]][] = [
  [rebuild, ['statements']],
  [audit, ['--repair', '--live', '--dry-run']],
];

it.each(COMMANDS)('refuses a tenant that there is not: $name %j', async (command, args) => {
  const world = await testWorld();
  const lines: string[] = [];
  const run = (tenantId: string) =>
    runOn(world, { command, print: (line) => lines.push(line) }, [...args, '--tenant', tenantId]);
  const tenantId = newTenant(world);
  await expect(run(tenantId)).rejects.toThrow(`there is no tenant ${tenantId}`);
  await expect(run('K#1')).rejects.toThrow('there is no tenant K#1');

  const settings = { requireIdempotencyKeys: false };
  const terms = { mode: 'live', limits: LIMITS_MAX, settings } as const;
  const tenant = { id: tenantId, name: 'Acme', createdAtMs: world.clock.nowMs(), ...terms };
  await world.db.commit([insertTenant(tenant)]);

  expect(await run(tenantId)).toBe('done');
});
