import { beforeAll, beforeEach, expect, it } from 'vitest';
import { forwardReceipt } from '../../functions/inbox/forward-receipt.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Db } from '../../functions/shared/world.ts';
import type { Ask, RoomBody } from '../support/room-client.ts';
import {
  eventsOf,
  type InboxWorld,
  inboxClient,
  inboxFaults,
  inboxWorld,
  newSource,
  push,
  work,
} from './inbox-house.ts';

let world: InboxWorld;
let tenantId: string;
let ask: Ask;
let source: RoomBody;
beforeAll(async () => {
  world = await inboxWorld();
});
beforeEach(async () => {
  world.sent.splice(0);
  ({ tenantId, ask } = inboxClient(world));
  source = await newSource(ask, { maxBacklog: 500 });
});

/** Webhooks that were taken in a millisecond after each other, and whose only attempt failed. */
async function failed(count: number, of = source): Promise<string[]> {
  const commit: Db['commit'] = async (writes) => {
    if (writes.some(({ table }) => table === 'outbox')) throw new Error('a bug of ours');
    return world.db.commit(writes);
  };
  const retryPlan = { ...world.retryPlan, maxAttempts: 1 };
  const doors = { ...world, retryPlan, db: { ...world.db, commit } };
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    world.clock.advance(1);
    ids.push((await push(ask, of, JSON.stringify({ at: world.clock.nowMs() }))).body.id);
    const [message] = world.sent.splice(0);
    const pk = String(message?.body.pk);
    const deadlineMs = world.clock.nowMs() + MINUTE_MS;
    await forwardReceipt({ pk, dueMs: 0 }, doors, { deadlineMs });
  }
  return ids;
}

async function idsOf(status: string): Promise<string[]> {
  const { body } = await ask(`GET /v1/webhooks?status=${status}&limit=100`);
  return body.data.map(({ id }) => id).sort();
}

async function replay(body: object = {}) {
  const { status, body: answer } = await ask('POST /v1/webhooks/replays', { body });
  expect(status).toBe(202);
  return answer;
}

it('processes what has failed again, of one source', async () => {
  const other = await newSource(ask);
  const ids = await failed(3);
  const others = await failed(2, other);
  expect(await replay({ sourceId: source.id })).toEqual({ replayed: 3, hasMore: false });
  await work(world);
  expect(await idsOf('completed')).toEqual(ids.sort());
  expect(await idsOf('failed')).toEqual(others.sort());
  expect(await eventsOf(world, tenantId)).toHaveLength(3);

  expect(await replay()).toEqual({ replayed: 2, hasMore: false });
  expect(await replay()).toEqual({ replayed: 0, hasMore: false });
  await work(world);
  expect(await idsOf('failed')).toEqual([]);
  expect(await inboxFaults(world)).toEqual([]);
});

it('heeds a time, and leaves what has completed or is open', async () => {
  const [first] = await failed(1);
  const from = new Date(world.clock.nowMs() + 1).toISOString();
  const [second] = await failed(1);
  const to = new Date(world.clock.nowMs() + 1).toISOString();
  const [third] = await failed(1);
  await push(ask, source, '{"open":1}');
  expect(await replay({ from, to })).toEqual({ replayed: 1, hasMore: false });
  await work(world);
  expect(await idsOf('failed')).toEqual([first, third].sort());
  expect(await idsOf('completed')).toContain(second);
});

it('goes on where a call ended, the oldest first', async () => {
  const ids = await failed(103);
  const page = await replay({ sourceId: source.id });
  expect(page).toMatchObject({ replayed: 100, hasMore: true });
  expect(await idsOf('failed')).toEqual(ids.slice(100).sort());
  const { nextCursor: cursor } = page;
  expect(await replay({ sourceId: source.id, cursor })).toEqual({ replayed: 3, hasMore: false });
  const refused = await ask('POST /v1/webhooks/replays', { body: { cursor } });
  expect(refused.body.code).toBe('invalid_cursor');
});

it('opens each once, however many ask', async () => {
  await failed(20);
  const answers = await Promise.all([replay(), replay(), replay()]);
  expect(answers.reduce((sum, it) => sum + Number(it.replayed), 0)).toBe(20);
  await work(world);
  expect(await eventsOf(world, tenantId)).toHaveLength(20);
  expect(await inboxFaults(world)).toEqual([]);
});

it('refuses times that do not follow', async () => {
  const body = { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' };
  const { body: refused } = await ask('POST /v1/webhooks/replays', { body });
  expect(refused).toMatchObject({ code: 'validation_failed', errors: [{ pointer: '/to' }] });
});
