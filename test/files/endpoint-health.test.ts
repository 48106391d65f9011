import { beforeEach, describe, expect, it } from 'vitest';
import { resume, retry } from '../../functions/files/change-state.ts';
import type { AlertFile } from '../../functions/files/file.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import {
  deleteEndpoint,
  findEndpoint,
  setStatus,
} from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findHealth } from '../../functions/webhooks/health.store.ts';
import { isOpen } from '../../functions/webhooks/health.ts';
import { checkFiles } from '../support/invariants/files.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { FilesHouse, usersFile } from './files-house.ts';

let house: FilesHouse;
beforeEach(async () => {
  house = await FilesHouse.open();
});

const snapshot = () => takeSnapshot(house.world.client, house.world.tables);

async function deliveries(): Promise<number> {
  const { deliveries: rows } = await snapshot();
  return rows.filter(({ sk }) => !String(sk).includes('#')).length;
}

async function eventsOf({ tenantId }: AlertFile): Promise<string[]> {
  const { outbox } = await snapshot();
  return outbox.filter((it) => it.tenant === tenantId).map((it) => String(it.type));
}

async function changeTo(endpoint: Endpoint, status: Endpoint['status']): Promise<void> {
  const { tenantId, id } = endpoint;
  const now = (await findEndpoint(house.world.db, tenantId, id)) ?? endpoint;
  await house.world.db.commit(setStatus(now, status));
}

/** A receiver that takes nothing before `untilMs`. */
function deadUntil(untilMs: number): void {
  house.reply = () => (house.world.clock.nowMs() < untilMs ? 503 : 200);
}

describe('a dead receiver', () => {
  it('opens its breaker, costs no row per user, and gets everybody once it is back', async () => {
    deadUntil(house.world.clock.nowMs() + 40 * MINUTE_MS);
    const plan = { maxAttempts: 11, scheduleSeconds: [5, 60, 300, 1_800] };
    const endpoint = await house.addEndpoint({ retry: plan });
    const file = await house.upload(endpoint, usersFile(12_000));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'completed', delivered: 12_000, failed: 0 });
    expect(await deliveries()).toBeLessThanOrEqual(400);
    const opened = house.world.lines.filter((it) => it.event === 'endpoint.breaker-opened');
    expect(opened.length).toBeGreaterThan(0);
    expect(checkFiles(await snapshot())).toEqual([]);
  });

  it('of an endpoint with one attempt is probed with alerts of the file', async () => {
    deadUntil(house.world.clock.nowMs() + 30 * MINUTE_MS);
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    const file = await house.upload(endpoint, usersFile(3_000));

    const done = await house.settle(file);

    expect(done.delivered + done.failed).toBe(3_000);
    expect(done).toMatchObject({ state: 'completed', pending: 0 });
    expect(done.failed).toBeLessThanOrEqual(200);
    expect(isOpen(await findHealth(house.world.db, endpoint))).toBe(false);
  });

  it('costs one write of its health per batch', async () => {
    house.reply = () => 500;
    const file = await house.upload(await house.addEndpoint(), usersFile(25));
    const parse = house.takeMessage();
    if (parse) await house.handle(parse);
    const block = house.takeMessage();
    if (block) await house.handle(block);

    const { tenantId, endpointId: id } = await house.find(file);
    expect(await findHealth(house.world.db, { tenantId, id })).toMatchObject({ streak: 1 });
  });
});

describe('a receiver that wants nothing more', () => {
  it('disables its endpoint, which pauses the file and says why', async () => {
    house.reply = () => 410;
    const endpoint = await house.addEndpoint();
    const file = await house.upload(endpoint, usersFile(200));
    for (let n = 0; n < 40; n += 1) {
      house.world.clock.advance(15_000);
      await house.handleAll();
    }
    const { tenantId, id } = endpoint;
    expect(await findEndpoint(house.world.db, tenantId, id)).toMatchObject({
      status: 'disabled',
      disabledReason: 'gone',
    });
    expect(await house.find(file)).toMatchObject({
      state: 'paused',
      reason: 'endpoint_disabled',
      pending: 200,
    });
    expect(house.received.length).toBeLessThanOrEqual(25);
    expect(await eventsOf(file)).toEqual(
      expect.arrayContaining(['endpoint.disabled', 'file.paused']),
    );
  });
});

describe('a file whose endpoint', () => {
  it('is disabled by hand pauses without a single attempt', async () => {
    const endpoint = await house.addEndpoint();
    const file = await house.upload(endpoint, usersFile(50));
    await changeTo(endpoint, 'disabled');
    for (let n = 0; n < 3; n += 1) await house.handleAll();
    expect(await house.find(file)).toMatchObject({ state: 'paused', reason: 'endpoint_disabled' });
    expect(house.received).toEqual([]);
    expect(await deliveries()).toBe(0);
  });

  it('is paused waits for it, and loses nobody', async () => {
    const endpoint = await house.addEndpoint({ status: 'paused' });
    const file = await house.upload(endpoint, usersFile(50));
    for (let n = 0; n < 5; n += 1) {
      house.world.clock.advance(31_000);
      await house.handleAll();
    }
    expect(house.received).toEqual([]);
    expect(await deliveries()).toBe(0);
    await changeTo(endpoint, 'active');
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 50 });
  });

  it('is deleted in the middle is cancelled, and its counts add up', async () => {
    const endpoint = await house.addEndpoint({ perSecond: 10 });
    const file = await house.upload(endpoint, usersFile(1_500));
    for (let n = 0; n < 2; n += 1) await house.handleAll();
    expect(house.received.length).toBeGreaterThan(100);
    const now = await findEndpoint(house.world.db, endpoint.tenantId, endpoint.id);
    if (now) await house.world.db.commit(deleteEndpoint(now, house.world.clock.nowMs()));

    const done = await house.settle(file);

    expect(done).toMatchObject({ state: 'cancelled', reason: 'endpoint_deleted', pending: 0 });
    expect(done.delivered).toBe(house.received.length);
    expect(done.delivered + done.cancelled).toBe(1_500);
    expect(await eventsOf(file)).toContain('file.cancelled');
    expect(checkFiles(await snapshot())).toEqual([]);
  });
});

describe('a retry whose endpoint is closed before it begins', () => {
  /** A file that one user did not get, and whose retry somebody wants. */
  async function failed(): Promise<{ file: AlertFile; endpoint: Endpoint }> {
    const endpoint = await house.addEndpoint({ retry: { maxAttempts: 1 } });
    house.reply = (userId) => (userId === 'u1' ? 500 : 200);
    const file = await house.settle(await house.upload(endpoint, usersFile(3)));
    expect(file).toMatchObject({ state: 'completed', failed: 1 });
    house.reply = () => 200;
    house.received.length = 0;
    await house.act(retry, file);
    return { file, endpoint };
  }

  it('waits while that is paused, and goes on by itself', async () => {
    const { file, endpoint } = await failed();
    await changeTo(endpoint, 'paused');
    for (let minutes = 0; minutes < 5; minutes += 1) {
      await house.handleAll();
      const { dueMs = 0 } = await house.find(file);
      expect(dueMs).toBeLessThanOrEqual(house.world.clock.nowMs() + MINUTE_MS);
      house.world.clock.set(dueMs);
      await house.sweep(await house.find(file));
    }
    expect(await house.find(file)).toMatchObject({ state: 'delivering', failed: 1 });
    await changeTo(endpoint, 'active');
    const done = await house.settle(file);
    expect(done).toMatchObject({ state: 'completed', failed: 0, delivered: 3 });
    expect(house.received).toHaveLength(1);
  });

  it('is paused with the reason when that was disabled, until it is resumed', async () => {
    const { file, endpoint } = await failed();
    await changeTo(endpoint, 'disabled');
    await house.handleAll();
    const paused = { state: 'paused', reason: 'endpoint_disabled', failed: 1 };
    expect(await house.find(file)).toMatchObject(paused);
    expect(await eventsOf(file)).toContain('file.paused');
    await changeTo(endpoint, 'active');
    await house.act(resume, file);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', delivered: 3 });
  });

  it('ends as it was when that is deleted', async () => {
    const { file, endpoint } = await failed();
    const { pk, sk } = { pk: endpoint.tenantId, sk: endpoint.id };
    await house.world.db.commit([{ kind: 'remove', table: 'endpoints', key: { pk, sk } }]);
    expect(await house.settle(file)).toMatchObject({ state: 'completed', failed: 1, delivered: 2 });
    expect(house.received).toEqual([]);
  });
});
