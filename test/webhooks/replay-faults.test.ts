import { beforeAll, describe, expect, it } from 'vitest';
import { findEvents } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { timeOfId } from '../../functions/shared/ids/ulid.ts';
import type { Write } from '../../functions/shared/world.ts';
import type { Attempt } from '../../functions/webhooks/attempt.ts';
import { blockEndpoint } from '../../functions/webhooks/block-endpoint.ts';
import { claim, settle } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { countFailure, findHealth, openBreaker } from '../../functions/webhooks/health.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { saveStep } from '../../functions/webhooks/save-delivery.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import { useStillTime } from '../support/still-time.ts';
import { type Ask, type Body, webhooksApi } from './api.ts';
import { care, sweepEndpoint, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  newEndpoint,
  newEvent,
  recordOf,
} from './delivery-world.ts';
import { type Behaviour, startReceiver } from './receiver.ts';

useStillTime();

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let world: DeliveryWorld;
let ask: Ask;
beforeAll(async () => {
  world = await deliveryWorld();
  ask = webhooksApi(world);
});

/** An endpoint with some exhausted deliveries, and some events that it never got. */
async function outage(failures: number, missing: number, behaviour: Behaviour = () => 200) {
  const receiver = await startReceiver((nth) => (nth <= failures ? 500 : behaviour(nth)));
  const endpoint = await newEndpoint(world, receiver.url, { retry: { maxAttempts: 1 } });
  const { tenantId, id: endpointId } = endpoint;
  const patch = (body: object) => ask(tenantId, `PATCH /v1/endpoints/${endpointId}`, { body });
  const from = new Date(world.clock.nowMs()).toISOString();
  const events: OutboxEvent[] = [];
  const send = async () => {
    world.clock.advance(1);
    const event = await newEvent(world, tenantId);
    events.push(event);
    await relayEvents([event], world);
    await workUntil(world, world.clock.nowMs());
  };
  for (let nth = 0; nth < failures; nth += 1) await send();
  await patch({ status: 'disabled' });
  for (let nth = 0; nth < missing; nth += 1) await send();
  await patch({ status: 'active' });
  await workUntil(world, world.clock.nowMs() + 3 * MINUTE_MS);
  const to = new Date(world.clock.nowMs()).toISOString();
  // A replay waits for what may be on its way to the relay.
  world.clock.advance(10 * SECOND_MS);
  const replay = async (fields: object = {}) => {
    const body = { endpointId, from, to, rateShare: 1, ...fields };
    const made = await ask(tenantId, 'POST /v1/replays', { body, key: 'k' });
    expect(made.status).toBe(202);
    return made.body.id;
  };
  const find = async (id: string): Promise<Body> =>
    (await ask(tenantId, `GET /v1/replays/${id}`)).body;
  const rows = () => Promise.all(events.map((it) => recordOf(world, endpoint, it)));
  return { receiver, endpoint, events, patch, replay, find, rows };
}

async function sweepFor(endpoint: Endpoint, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
  }
  await workUntil(world, world.clock.nowMs());
}

function withCommit(commit: DeliveryWorld['db']['commit']): DeliveryWorld {
  return { ...world, db: { ...world.db, commit } };
}

/** Its worker dies before this write of its step. */
async function dieAtWrite(fatal: number): Promise<void> {
  let commits = 0;
  const dying = withCommit(async (writes) => {
    commits += 1;
    if (commits >= fatal) throw new Error('died');
    return world.db.commit(writes);
  });
  for (const message of takeReady(world, /endpoint-care/)) {
    await expect(care(message, dying)).rejects.toThrow('died');
  }
}

describe('a replay that is cancelled', () => {
  it('is over when all have their slots, although they wait for them', async () => {
    const { endpoint, receiver, patch, replay, find, rows } = await outage(3, 2);
    await patch({ rateLimit: { perSecond: 0.5 } });
    await takeSlots(world, { ...endpoint, perSecond: 0.5 }, 500);
    const id = await replay();
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    expect((await rows()).map((it) => it.status)).toEqual(new Array(5).fill('waiting'));
    expect(await find(id)).toMatchObject({ status: 'done', matched: 5, sent: 5 });
    expect(receiver.got).toHaveLength(3);
  });

  it.each([1, 2, 3])(
    'gives back what it took up in %i steps, and has not sent it',
    async (steps) => {
      const { endpoint, receiver, patch, replay, find } = await outage(4, 3);
      await patch({ rateLimit: { perSecond: 0.2 } });
      await takeSlots(world, { ...endpoint, perSecond: 0.2 }, 500);
      const id = await replay();
      // A step of one, and then of one in five seconds each.
      await workUntil(world, world.clock.nowMs() + (steps - 1) * 5 * SECOND_MS + 100);
      expect(await find(id)).toMatchObject({ status: 'running', matched: steps, sent: steps });
      const ended = await ask(endpoint.tenantId, `DELETE /v1/replays/${id}`);
      expect(ended.body).toMatchObject({ status: 'cancelled' });
      await sweepFor(endpoint, 3);
      expect(await find(id)).toMatchObject({ status: 'cancelled', matched: steps, sent: 0 });
      await workUntil(world, world.clock.nowMs() + HOUR_MS);
      expect(receiver.got).toHaveLength(4);
    },
  );

  it('leaves what had ended before it as it was, when the endpoint is deleted', async () => {
    const { receiver, endpoint, patch, replay, rows } = await outage(3, 2);
    await patch({ rateLimit: { perSecond: 0.2 } });
    await takeSlots(world, { ...endpoint, perSecond: 0.2 }, 500);
    await replay();
    await workUntil(world, world.clock.nowMs() + 20 * SECOND_MS);
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await sweepFor(endpoint, 3);
    const ends = (await rows()).map(({ status, reason }) => `${status} ${reason}`);
    const [failed, missed] = ['exhausted attempts_used_up', 'cancelled endpoint_deleted'];
    expect(ends).toEqual([failed, failed, failed, missed, missed]);
    expect(receiver.got).toHaveLength(3);
  });

  it('restores each as it was, and leaves what is new with a reason', async () => {
    const { endpoint, events, patch, replay } = await outage(1, 2);
    const taken = () => Promise.all(events.slice(0, 2).map((it) => recordOf(world, endpoint, it)));
    await patch({ rateLimit: { perSecond: 0.2 } });
    await takeSlots(world, { ...endpoint, perSecond: 0.2 }, 500);
    const id = await replay();
    await workUntil(world, world.clock.nowMs() + 5 * SECOND_MS + 100);
    expect((await taken()).map((it) => it.status)).toEqual(['waiting', 'waiting']);
    await ask(endpoint.tenantId, `DELETE /v1/replays/${id}`);
    await sweepFor(endpoint, 1);
    const facts = (await taken()).map(({ status, reason, spent, dueMs, replay: mark }) => ({
      ...{ status, reason, spent, dueMs, mark },
    }));
    const gone = { dueMs: undefined, mark: undefined };
    expect(facts).toEqual([
      { status: 'exhausted', reason: 'attempts_used_up', spent: 1, ...gone },
      { status: 'exhausted', reason: 'replay_cancelled', spent: 0, ...gone },
    ]);
  });
});

describe('a replay of what was missed long ago', () => {
  /** Two events; of the first the age is so many days, and the other is an hour younger. */
  async function missedBefore(days: number) {
    const outcome = await outage(0, 1);
    const { endpoint, patch, events } = outcome;
    await patch({ status: 'disabled' });
    world.clock.advance(HOUR_MS);
    events.push(await newEvent(world, endpoint.tenantId));
    await relayEvents(events.slice(-1), world);
    await patch({ status: 'active' });
    world.clock.set(timeOfId(events[0]?.id ?? '') + days * DAY_MS);
    return outcome;
  }
  const all = () => ({ to: new Date(world.clock.nowMs()).toISOString() });

  it('makes deliveries that end as if they had been made in time', async () => {
    const { endpoint, events, receiver, replay } = await missedBefore(28.99);
    await replay(all());
    await sweepFor(endpoint, 1);
    expect(receiver.got).toHaveLength(2);
    for (const event of events) {
      const { createdAtMs } = await recordOf(world, endpoint, event);
      expect(createdAtMs).toBe(timeOfId(event.id));
    }
  });

  it('leaves out what is older than 29 days', async () => {
    const { endpoint, events, receiver, replay, find } = await missedBefore(29);
    const id = await replay(all());
    await sweepFor(endpoint, 1);
    expect(await find(id)).toMatchObject({ status: 'done', matched: 1, sent: 1 });
    expect(receiver.got.map((it) => it.headers['webhook-id'])).toEqual([events[1]?.id]);
  });
});

describe('a replay whose worker dies', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('at its write %i counts and tells right', async (fatal) => {
    const { endpoint, events, receiver, replay, find } = await outage(2, 2);
    const id = await replay();
    await dieAtWrite(fatal);
    await sweepFor(endpoint, 5);
    expect(await find(id)).toMatchObject({ status: 'done', matched: 4, sent: 4 });
    expect(receiver.got).toHaveLength(2 + 4);
    const ids = events.map((it) => it.id);
    for (const event of await findEvents(world.db, endpoint.tenantId, ids)) {
      expect(event.sentTo).toEqual([endpoint.id]);
    }
  });
});

describe('a replay whose worker died before it sent what it had counted', () => {
  /** The first delivery was on its way when the step was planned, and has failed since. */
  const planned = async () => {
    const house = await outage(2, 0, () => 500);
    const { endpoint, events, replay, find } = house;
    const [first] = events;
    if (!first) throw new Error('no event');
    const row = await recordOf(world, endpoint, first);
    const nowMs = world.clock.nowMs();
    const claimed = claim({ ...row, spent: 0 }, nowMs + 30 * SECOND_MS, nowMs);
    const saved = await saveStep(world, { before: row, after: claimed });
    if (!saved.won) throw new Error('the claim is lost');
    world.clock.advance(1);
    const id = await replay();
    await dieAtWrite(3);
    expect(await find(id)).toMatchObject({ status: 'running', matched: 1, sent: 1 });
    const attempt = { outcome: 'failed', status: 500, ms: 1, throttled: false, disable: false };
    const at = { endpoint, nowMs, random: 0 };
    const after = settle(saved.delivery, attempt as Attempt, at);
    await saveStep(world, { before: saved.delivery, after });
    expect((await house.rows()).map((it) => it.status)).toEqual(['exhausted', 'exhausted']);
    return { ...house, id };
  };

  it('sends that, and nothing that its step had passed over', async () => {
    const { endpoint, events, receiver, find, id } = await planned();
    await sweepFor(endpoint, 3);
    expect(await find(id)).toMatchObject({ status: 'done', matched: 1, sent: 1 });
    expect(receiver.got.slice(2).map((it) => it.headers['webhook-id'])).toEqual([events[1]?.id]);
  });

  it('counts out only that when it is cancelled', async () => {
    const { endpoint, receiver, find, id } = await planned();
    await ask(endpoint.tenantId, `DELETE /v1/replays/${id}`);
    await sweepFor(endpoint, 3);
    expect(await find(id)).toMatchObject({ status: 'cancelled', matched: 1, sent: 0 });
    expect(receiver.got).toHaveLength(2);
  });
});

describe('a replay that is cancelled after its worker died', () => {
  it.each([3, 4, 5])('at its write %i has sent only what its receiver got', async (fatal) => {
    const { endpoint, receiver, replay, find, rows } = await outage(3, 0);
    const id = await replay();
    await dieAtWrite(fatal);
    await ask(endpoint.tenantId, `DELETE /v1/replays/${id}`);
    await sweepFor(endpoint, 5);
    expect(receiver.got).toHaveLength(3);
    expect(await find(id)).toMatchObject({ status: 'cancelled', matched: 3, sent: 0 });
    expect((await rows()).map((it) => it.status)).toEqual(['exhausted', 'exhausted', 'exhausted']);
  });

  it('takes no more up once it is cancelled in the midst of a step', async () => {
    const { endpoint, receiver, replay, find } = await outage(120, 0);
    const id = await replay();
    const taken: number[] = [];
    const send: DeliveryWorld['queues']['send'] = async (queue, messages) => {
      if (queue === 'delivery-slow') {
        taken.push(messages.length);
        await ask(endpoint.tenantId, `DELETE /v1/replays/${id}`);
      }
      return world.queues.send(queue, messages);
    };
    const racing = { ...world, queues: { ...world.queues, send } };
    for (const message of takeReady(world, /endpoint-care/)) await care(message, racing);
    expect(taken).toEqual([50]);
    await sweepFor(endpoint, 5);
    expect(receiver.got).toHaveLength(120);
    expect(await find(id)).toMatchObject({ status: 'cancelled', matched: 120, sent: 0 });
  });
});

describe('a replay behind a block', () => {
  it.each(['after', 'within'])('goes on when that is forgotten %s its step', async (when) => {
    const { endpoint, receiver, patch, replay, find } = await outage(2, 0);
    await blockEndpoint(world, endpoint, { status: 503, retryAfterMs: DAY_MS });
    const id = await replay();
    const [message] = takeReady(world, /endpoint-care/);
    if (!message) throw new Error('no message');
    let commits = 0;
    const racing = withCommit(async (writes) => {
      commits += 1;
      if (commits === 2 && when === 'within') {
        await patch({ status: 'active' });
        for (const it of takeReady(world, /endpoint-care/)) await care(it, world);
      }
      return world.db.commit(writes);
    });
    await care(message, racing);
    if (when === 'after') await patch({ status: 'active' });
    await sweepFor(endpoint, 4);
    expect(await find(id)).toMatchObject({ status: 'done', sent: 2 });
    expect(receiver.got).toHaveLength(4);
  });
});

it('a replay behind a block of seconds goes on when that ends, without the sweeper', async () => {
  const { endpoint, receiver, replay } = await outage(2, 0);
  await blockEndpoint(world, endpoint, { status: 503, retryAfterMs: 10 * SECOND_MS });
  await replay();
  await workUntil(world, world.clock.nowMs() + 15 * SECOND_MS);
  expect(receiver.got).toHaveLength(4);
});

describe('a step of a replay', () => {
  it('sends its messages in one call for fifty deliveries', async () => {
    const { endpoint, replay } = await outage(60, 0);
    await replay();
    const calls: number[] = [];
    const send: DeliveryWorld['queues']['send'] = async (queue, messages) => {
      if (queue === 'delivery-slow') calls.push(messages.length);
      return world.queues.send(queue, messages);
    };
    const counted = { ...world, queues: { ...world.queues, send } };
    for (const message of takeReady(world, /endpoint-care/)) await care(message, counted);
    expect(calls).toEqual([50, 10]);
    await sweepFor(endpoint, 1);
  });
});

describe('a replay whose worker stands still until its lease is over', () => {
  // The first fifty deliveries are its writes 3 to 52, the others come after a look at the lease.
  it.each([10, 55])('at its write %i sends the rest with the next worker', async (still) => {
    const { endpoint, receiver, replay, find } = await outage(60, 0);
    const id = await replay();
    let commits = 0;
    const standing = withCommit(async (writes) => {
      commits += 1;
      if (commits === still) world.clock.advance(61 * SECOND_MS);
      return world.db.commit(writes);
    });
    for (const message of takeReady(world, /endpoint-care/)) await care(message, standing);
    await sweepFor(endpoint, 3);
    expect(await find(id)).toMatchObject({ status: 'done', matched: 60, sent: 60 });
    expect(receiver.got).toHaveLength(60 + 60);
  });
});

describe('a replay of a closed endpoint', () => {
  it('waits for its opening, and looks no more until then', async () => {
    const { endpoint, receiver, patch, replay, find } = await outage(2, 1);
    await patch({ status: 'paused' });
    const id = await replay();
    await workUntil(world, world.clock.nowMs() + MINUTE_MS);
    world.units.splice(0);
    await sweepFor(endpoint, 30);
    const asked = world.units.filter((it) => it.operation === 'get');
    expect(asked).toEqual([]);
    await patch({ status: 'active' });
    await sweepFor(endpoint, 2);
    expect(await find(id)).toMatchObject({ status: 'done', sent: 3 });
    expect(receiver.got).toHaveLength(5);
  });

  it('does not miss an opening at the very moment', async () => {
    const { endpoint, patch, replay, find } = await outage(2, 0);
    await patch({ status: 'paused' });
    const id = await replay();
    const [message] = takeReady(world, /endpoint-care/);
    if (!message) throw new Error('no message');
    const racing = withCommit(async (writes: readonly Write[]) => {
      if (writes.some((it) => it.kind === 'check')) {
        await patch({ status: 'active' });
        for (const it of takeReady(world, /endpoint-care/)) await care(it, world);
      }
      return world.db.commit(writes);
    });
    await care(message, racing);
    await sweepFor(endpoint, 4);
    expect(await find(id)).toMatchObject({ status: 'done', sent: 2 });
  });

  it('is cancelled with its endpoint', async () => {
    const { endpoint, patch, replay, find } = await outage(1, 1);
    await patch({ status: 'paused' });
    const id = await replay();
    await workUntil(world, world.clock.nowMs());
    await ask(endpoint.tenantId, `DELETE /v1/endpoints/${endpoint.id}`);
    await sweepFor(endpoint, 2);
    expect(await find(id)).toMatchObject({ status: 'cancelled' });
  });

  it('is what an open breaker is probed with, where nothing is held', async () => {
    const { endpoint, receiver, replay, find } = await outage(3, 0);
    const nowMs = world.clock.nowMs();
    for (let nth = 0; nth < 10; nth += 1) {
      await world.db.commit([countFailure(endpoint, false, nowMs)]);
    }
    await world.db.commit([openBreaker(endpoint, nowMs)]);
    world.endpoints.forget(endpoint.tenantId, endpoint.id);
    const id = await replay();
    await sweepFor(endpoint, 8);
    expect((await findHealth(world.db, endpoint)).openedAtMs).toBeUndefined();
    expect(await find(id)).toMatchObject({ status: 'done', sent: 3 });
    expect(receiver.got).toHaveLength(6);
  });
});

describe('the record of a replay, and of its key', () => {
  it('ends 32 days after it was made', async () => {
    const { endpoint, replay } = await outage(0, 0);
    const puts: Record<string, unknown>[] = [];
    const { commit } = world.db;
    const seen = webhooksApi(
      withCommit((writes) => {
        puts.push(...writes.flatMap((it) => (it.kind === 'put' ? [it.item] : [])));
        return commit(writes);
      }),
    );
    await replay();
    const nowMs = world.clock.nowMs();
    const times = { from: new Date(0).toISOString(), to: new Date(nowMs).toISOString() };
    const body = { endpointId: endpoint.id, ...times };
    await seen(endpoint.tenantId, 'POST /v1/replays', { body, key: 'another' });
    const ttl = Math.floor((nowMs + 32 * DAY_MS) / SECOND_MS);
    expect(puts.map((it) => it.ttl)).toEqual([ttl, ttl]);
  });
});
