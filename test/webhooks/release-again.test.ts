import { beforeAll, describe, expect, it } from 'vitest';
import { againWhenBusy } from '../../functions/shared/again-when-busy.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { CareOrder, careForEndpoint } from '../../functions/webhooks/care-for-endpoint.ts';
import { useStillTime } from '../support/still-time.ts';
import { webhooksApi } from './api.ts';
import { putStatus, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  drain,
  newEndpoint,
  relayed,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

useStillTime();

const SECOND_MS = 1_000;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** The table does not answer to this write of a step, and the worker asks for its message anew. */
async function careWithOutage(fatal: number): Promise<void> {
  let commits = 0;
  const commit: DeliveryWorld['db']['commit'] = async (writes) => {
    commits += 1;
    if (commits === fatal) throw new Problem('unavailable');
    return world.db.commit(writes);
  };
  const worker = againWhenBusy('endpoint-care', careForEndpoint);
  const troubled = { ...world, db: { ...world.db, commit } };
  for (const { body } of takeReady(world, /endpoint-care/)) {
    await worker(CareOrder.parse(JSON.parse(JSON.stringify(body))), troubled, undefined);
  }
  expect(commits).toBeGreaterThanOrEqual(fatal);
  // The clock of a test has whole milliseconds.
  const whole = world.sent.splice(0).map((it) => ({ ...it, atMs: Math.ceil(it.atMs ?? 0) }));
  world.sent.push(...whole);
}

describe('a step during an outage', () => {
  it.each([1, 2, 3])('at its write %i is done when its message comes again', async (fatal) => {
    const receiver = await startReceiver();
    const endpoint = await newEndpoint(world, receiver.url, { status: 'paused' });
    await relayed(world, endpoint.tenantId);
    await drain(world);
    const message = await putStatus(world, endpoint, 'active');
    if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
    await careWithOutage(fatal);
    await workUntil(world, world.clock.nowMs() + 15 * SECOND_MS);
    expect(receiver.got).toHaveLength(1);
  });

  it.each([1, 2, 3])('at its write %i counts right in a replay', async (fatal) => {
    const receiver = await startReceiver((nth) => (nth === 1 ? 500 : 200));
    const retry = { maxAttempts: 1 };
    const { tenantId, id: endpointId } = await newEndpoint(world, receiver.url, { retry });
    const from = new Date(world.clock.nowMs() - 1).toISOString();
    await relayed(world, tenantId);
    await drain(world);
    world.clock.advance(1);
    const to = new Date(world.clock.nowMs()).toISOString();
    world.clock.advance(10 * SECOND_MS);
    const ask = webhooksApi(world);
    const made = await ask(tenantId, 'POST /v1/replays', { body: { endpointId, from, to } });
    await careWithOutage(fatal);
    await workUntil(world, world.clock.nowMs() + 15 * SECOND_MS);
    expect(receiver.got).toHaveLength(2);
    const { body } = await ask(tenantId, `GET /v1/replays/${made.body.id}`);
    expect(body).toMatchObject({ status: 'done', matched: 1, sent: 1 });
  });
});
