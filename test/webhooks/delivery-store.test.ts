import { beforeAll, describe, expect, it } from 'vitest';
import {
  deliveryKey,
  findDelivery,
  nameOfKey,
  saveDelivery,
  toDelivery,
} from '../../functions/webhooks/delivery.store.ts';
import { claim, type Delivery, newDelivery, settle } from '../../functions/webhooks/delivery.ts';
import { deliveryId, nameOfId } from '../../functions/webhooks/delivery-name.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { wait } from '../../functions/webhooks/waiting.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

function untouched(): Delivery {
  const name = { tenantId: newTenant(world), endpointId: world.ids.next('end') };
  const what = { ...name, eventId: world.ids.next('evt'), eventType: 'order.paid' };
  return newDelivery(what, world.clock.nowMs());
}

const claimed = (before: Delivery, leaseMs = 35_000) =>
  claim(before, world.clock.nowMs() + leaseMs, world.clock.nowMs());

async function saved(before: Delivery, after: Delivery): Promise<Delivery> {
  const step = await saveStep(world, { before, after });
  if (!step.won) throw new Error('lost');
  return step.delivery;
}

const failed = { outcome: 'failed', status: 500, ms: 5, throttled: false, disable: false } as const;

function settled(before: Delivery): Delivery {
  const endpoint = {
    id: 'end_1',
    tenantId: before.tenantId,
    url: '',
    status: 'active',
    retry: { maxAttempts: 3, scheduleSeconds: [3_600] },
    timeoutMs: 1,
    onUnknown: 'resend',
    secrets: [],
    createdAtMs: 0,
  } as const;
  return settle(before, failed, { endpoint, nowMs: world.clock.nowMs(), random: 0.5 });
}

describe('a claim', () => {
  it('is won by one of twenty workers that try at once', async () => {
    const before = untouched();
    const tries = Array.from({ length: 20 }, () =>
      saveStep(world, { before, after: claimed(before) }),
    );
    const results = await Promise.all(tries);
    expect(results.filter((it) => it.won)).toHaveLength(1);
    const stored = await findDelivery(world.db, before);
    for (const result of results) {
      const delivery = result.won ? result.delivery : result.found;
      expect(delivery).toEqual(stored);
    }
  });

  it('is won by one of twenty that try to retry at once', async () => {
    const first = await saved(untouched(), claimed(untouched()));
    const before = await saved(first, settled(first));
    const tries = Array.from({ length: 20 }, () =>
      saveStep(world, { before, after: claimed(before) }),
    );
    expect((await Promise.all(tries)).filter((it) => it.won)).toHaveLength(1);
  });

  it('leaves the due time and its place on the index alone', async () => {
    const first = await saved(untouched(), claimed(untouched()));
    const retrying = await saved(first, settled(first));
    const before = await world.db.get('deliveries', deliveryKey(retrying));
    await saved(retrying, claimed(retrying));
    const after = await world.db.get('deliveries', deliveryKey(retrying));
    expect(after).toMatchObject({ status: 'inflight', due: retrying.dueMs });
    expect(after?.dueSk).toBe(before?.dueSk);
    expect(before?.openPk).toContain('#retrying#');
    expect(after?.openPk).toBeUndefined();
  });
});

describe('an outcome', () => {
  it('is refused once another worker has taken over', async () => {
    const mine = await saved(untouched(), claimed(untouched(), -1));
    const theirs = await saved(mine, settled(mine));
    const late = await saveStep(world, { before: mine, after: settled(mine) });
    expect(late).toEqual({ won: false, found: theirs });
  });

  it('counts as stored when only the answer to our own write was lost', async () => {
    const before = untouched();
    let isFirst = true;
    const flaky = {
      ...world,
      db: {
        ...world.db,
        commit: async (writes: Parameters<typeof world.db.commit>[0]) => {
          const answer = await world.db.commit(writes);
          if (!isFirst) return answer;
          isFirst = false;
          return world.db.commit(writes);
        },
      },
    };
    expect(await saveStep(flaky, { before, after: claimed(before) })).toMatchObject({ won: true });
  });
});

describe('the stored form', () => {
  it.each(['resend', 'stop', undefined] as const)('comes back as it was: %s', async (onUnknown) => {
    const alert = {
      origin: { fileId: 'fil_1', block: 1, index: 2 },
      bodyRef: { key: 'k', start: 3, end: 4 },
      timestampMs: 5,
      onUnknown,
    };
    const first = await saved({ ...untouched(), alert }, claimed({ ...untouched(), alert }));
    const second = await saved(first, { ...settled(first), unsure: true, reason: 'why' });
    expect(await findDelivery(world.db, second)).toEqual(second);
  });

  it('keeps the fields of a later release', async () => {
    const before = await saved(untouched(), claimed(untouched()));
    const key = deliveryKey(before);
    const write = { kind: 'update', table: 'deliveries', key } as const;
    await world.db.commit([{ ...write, update: 'SET newer = :it', values: { ':it': 1 } }]);
    await saved(before, settled(before));
    expect(await world.db.get('deliveries', key)).toMatchObject({ newer: 1, status: 'retrying' });
  });

  it('is off both indexes and below 1 KB when it has succeeded', async () => {
    const before = await saved(untouched(), claimed(untouched()));
    const done = settle(
      before,
      { ...failed, outcome: 'delivered', status: 200 },
      { endpoint: { retry: { maxAttempts: 1 } } as never, nowMs: 0, random: 0 },
    );
    world.takeUnits();
    await saved(before, done);
    expect(world.takeUnits()).toBe(1);
    const item = await world.db.get('deliveries', deliveryKey(before));
    expect(item && ['duePk', 'dueSk', 'openPk', 'openSk'].filter((it) => it in item)).toEqual([]);
  });

  it('is a bug when it is not one', () => {
    expect(() => toDelivery({ pk: 'a', sk: 'b', status: 'odd' })).toThrow();
  });

  it('takes a slot that is far away as its due time', () => {
    const slot = { atMs: world.clock.nowMs() + 1, version: 7 };
    const write = saveDelivery(wait(untouched(), slot, 0), undefined, 0);
    expect(write.condition).toBe('attribute_not_exists(pk)');
    expect(write.values).toMatchObject({ ':due': slot.atMs, ':pv': 7, ':status': 'waiting' });
  });
});

describe('names', () => {
  it('are in the id and in the key', () => {
    const { tenantId, endpointId, eventId } = untouched();
    const name = { tenantId, endpointId, eventId };
    expect(deliveryId(name)).toMatch(/^dlv_[0-9A-Z]{52}$/);
    expect(nameOfId(tenantId, deliveryId(name))).toEqual(name);
    expect(nameOfKey(deliveryKey(name))).toEqual(name);
  });
});
