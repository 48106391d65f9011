import { beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findHealth } from '../../functions/webhooks/health.store.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  handleDue,
  newEndpoint,
  relayed,
  takeDue,
} from './delivery-world.ts';
import { type Behaviour, hangFor, startReceiver } from './receiver.ts';

useStillTime();

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

async function endpointThat(behaviour: Behaviour, fields: Partial<Endpoint> = {}) {
  const receiver = await startReceiver(behaviour);
  return newEndpoint(world, receiver.url, {
    retry: { maxAttempts: 2, scheduleSeconds: [3_600] },
    ...fields,
  });
}

/** One event more, sent at once; retries are an hour away. */
async function attemptOnce({ tenantId }: Endpoint): Promise<void> {
  await relayed(world, tenantId);
  await handleDue(world);
}

/** What one delivery costs after its relay: no read may be among it. */
async function unitsOfOne({ tenantId }: Endpoint): Promise<number> {
  await relayed(world, tenantId);
  world.takeUnits();
  await handleDue(world);
  return world.takeUnits();
}

async function attemptOften(endpoint: Endpoint, count: number, everyMs: number): Promise<void> {
  for (let nth = 0; nth < count; nth += 1) {
    if (nth > 0) world.clock.advance(everyMs);
    await attemptOnce(endpoint);
  }
}

describe('the health of an endpoint', () => {
  it('is not written by a success when nothing failed', async () => {
    const endpoint = await endpointThat(() => 200);
    await attemptOnce(endpoint);
    expect(await world.db.get('endpoints', { pk: keyOf(endpoint), sk: 'HEALTH' })).toBeUndefined();
  });

  it('counts failures, and forgets them at the first success', async () => {
    const endpoint = await endpointThat((nth) => (nth < 4 ? 500 : 200));
    const firstAtMs = world.clock.nowMs();
    await attemptOften(endpoint, 3, 1_000);
    expect(await findHealth(world.db, endpoint)).toMatchObject({
      streak: 3,
      firstFailureAtMs: firstAtMs,
    });
    expect(await unitsOfOne(endpoint)).toBe(3);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ streak: 0, timeouts: 0 });
    expect(await unitsOfOne(endpoint)).toBe(2);
  });

  it('opens at the tenth failure in a row, when they took half a minute', async () => {
    const endpoint = await endpointThat(() => 500);
    await attemptOften(endpoint, 9, 4_000);
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
    await attemptOnce(endpoint);
    const nowMs = world.clock.nowMs();
    expect(await findHealth(world.db, endpoint)).toMatchObject({
      streak: 10,
      openedAtMs: nowMs,
      probeAtMs: nowMs + 30_000,
      probes: 0,
    });
    const probes = world.sent.filter((it) => it.body.sk === 'HEALTH');
    expect(probes).toMatchObject([{ queue: 'endpoint-care', atMs: nowMs + 30_000 }]);
  });

  it('does not open for a burst that fails together', async () => {
    const endpoint = await endpointThat(() => 500);
    await attemptOften(endpoint, 20, 1_000);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ streak: 20 });
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
  });

  it('is not worse for a receiver that is only too busy', async () => {
    const endpoint = await endpointThat((nth) =>
      nth % 2 === 0 ? 429 : { status: 503, headers: { 'retry-after': '1' } },
    );
    await attemptOften(endpoint, 12, 90_000);
    expect((await findHealth(world.db, endpoint)).streak).toBe(0);
  });

  it('knows how many of the last attempts timed out', async () => {
    const timeoutMs = 100;
    const endpoint = await endpointThat((nth) => (nth === 1 ? 500 : hangFor(timeoutMs)), {
      timeoutMs,
    });
    await attemptOften(endpoint, 3, 1_000);
    expect(await findHealth(world.db, endpoint)).toMatchObject({ streak: 3, timeouts: 2 });
  });

  it('that cannot be written takes nothing from the attempt', async () => {
    const endpoint = await endpointThat(() => 500);
    await relayed(world, endpoint.tenantId);
    const [message] = takeDue(world);
    if (!message) throw new Error('no message');
    const commit: DeliveryWorld['db']['commit'] = async (writes) => {
      const [first] = writes;
      if (first?.table === 'endpoints') throw new Error('no table today');
      return world.db.commit(writes);
    };
    await handle(message, { ...world, db: { ...world.db, commit } });
    const line = world.lines.findLast((it) => it.event === 'endpoint.health-unmarked');
    expect(line).toMatchObject({ endpointId: endpoint.id });
    expect(world.lines.findLast((it) => it.event === 'delivery.attempt')).toMatchObject({
      decision: 'retrying',
    });
  });
});

describe('an endpoint that is deleted', () => {
  const DAY_MS = 24 * 3_600_000;

  // The worker of the second attempt does not know of the deletion yet.
  it.each([
    { answer: 200, decision: 'delivered', streak: 0 },
    { answer: 500, decision: 'retrying', streak: 1 },
  ])('has its health for 32 days after a late $answer', async ({ answer, decision, streak }) => {
    const endpoint = await endpointThat((nth) => (nth === 1 ? 500 : answer));
    const { tenantId, id } = endpoint;
    await attemptOnce(endpoint);
    await relayed(world, tenantId);
    await webhooksApi(world)(tenantId, `DELETE /v1/endpoints/${id}`);
    await expectHealth(endpoint, 0);
    await handleDue(world);
    const line = world.lines.findLast((it) => it.event === 'delivery.attempt');
    expect(line).toMatchObject({ endpointId: id, decision });
    await expectHealth(endpoint, streak);
  });

  async function expectHealth(endpoint: Endpoint, streak: number): Promise<void> {
    const health = await world.db.get('endpoints', { pk: keyOf(endpoint), sk: 'HEALTH' });
    const ttl = Math.floor((world.clock.nowMs() + 32 * DAY_MS) / 1_000);
    expect(health).toMatchObject({ streak, ttl });
  }
});

function keyOf({ tenantId, id }: Endpoint): string {
  return `${tenantId}#${id}`;
}
