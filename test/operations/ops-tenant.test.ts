import { expect, it } from 'vitest';
import { rebuild } from '../../bin/ops/rebuild.ts';
import { insertTenant } from '../../functions/tenants/tenant.store.ts';
import { LIMITS_MAX } from '../../functions/tenants/tenant.ts';
import { newTenant, testWorld } from '../support/world.ts';
import { runOn } from './desk.ts';

it('refuses to rebuild the statements of a tenant that there is not', async () => {
  const world = await testWorld();
  const lines: string[] = [];
  const run = (tenantId: string) =>
    runOn(world, { command: rebuild, print: (line) => lines.push(line) }, [
      'statements',
      ...['--tenant', tenantId],
    ]);
  const tenantId = newTenant(world);
  await expect(run(tenantId)).rejects.toThrow(`there is no tenant ${tenantId}`);
  await expect(run('K#1')).rejects.toThrow('there is no tenant K#1');

  const settings = { requireIdempotencyKeys: false };
  const terms = { mode: 'live', limits: LIMITS_MAX, settings } as const;
  const tenant = { id: tenantId, name: 'Acme', createdAtMs: world.clock.nowMs(), ...terms };
  await world.db.commit([insertTenant(tenant)]);

  expect(await run(tenantId)).toBe('done');
});
