import { beforeAll, expect, it } from 'vitest';
import { askFailedWebhooks } from '../../bin/ops/failed-webhooks.ts';
import { receiptKey, receiptListing } from '../../functions/inbox/receipt.store.ts';
import { sortableMs } from '../../functions/shared/sortable.ts';
import { DAY_MS } from '../../functions/shared/units.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const ask = () => askFailedWebhooks(world.db, world.clock.nowMs());

/** A tenant on the list of all, with a receipt that ended like this. */
async function ended(status: 'completed' | 'failed', ageMs: number): Promise<string> {
  const tenantId = newTenant(world);
  const id = world.ids.next('rcp');
  const listed = { listingPk: 'T', listingSk: `${sortableMs(world.clock.nowMs())}#${tenantId}` };
  const place = {
    listingPk: receiptListing(tenantId, status, 0),
    listingSk: `${sortableMs(world.clock.nowMs() - ageMs)}#${id}`,
  };
  await world.db.commit([
    { kind: 'put', table: 'control', item: { pk: tenantId, sk: '#', ...listed } },
    { kind: 'put', table: 'inbox', item: { ...receiptKey(tenantId, id), ...place } },
  ]);
  return tenantId;
}

it('calls for a person when a received webhook has failed within a week', async () => {
  await ended('completed', 0);
  await ended('failed', 8 * DAY_MS);
  expect(await ask()).toEqual([{ about: 'received webhooks', seen: 'none has failed in a week' }]);

  const tenantId = await ended('failed', DAY_MS);
  expect(await ask()).toEqual([
    {
      about: 'received webhooks',
      seen: `1 have failed in a week, of ${tenantId}`,
      advice: expect.stringContaining('Received webhooks have failed'),
    },
  ]);
});
