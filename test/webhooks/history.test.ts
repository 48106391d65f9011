import { beforeAll, describe, expect, it } from 'vitest';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { findDeliveries } from '../../functions/webhooks/delivery.store.ts';
import { type Delivery, isFinal } from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findHealth } from '../../functions/webhooks/health.store.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import type { SentMessage } from '../support/world.ts';
import { care, putStatus, sweepEndpoint, takeReady, workUntil } from './care.ts';
import {
  type DeliveryWorld,
  deliveryWorld,
  handle,
  newEndpoint,
  newEvent,
} from './delivery-world.ts';
import { startReceiver } from './receiver.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SEEDS = [1, 2, 3, 4];
const MOVES = 40;

let world: DeliveryWorld;
beforeAll(async () => {
  world = await deliveryWorld();
});

/** What one history is about. */
interface History {
  readonly dice: Dice;
  readonly endpoint: Endpoint;
  readonly events: OutboxEvent[];
  /** The receiver fails, or is well again. */
  turn(isOk?: boolean): void;
}

async function work(message: SentMessage, doors: DeliveryWorld): Promise<void> {
  if (message.queue === 'endpoint-care') await care(message, doors);
  else await handle(message, doors);
}

/** A worker that dies after so many commits: what it has not written by then it never writes. */
function dying(commitsLeft: number): DeliveryWorld {
  let left = commitsLeft;
  const commit: DeliveryWorld['db']['commit'] = async (writes) => {
    left -= 1;
    if (left < 0) throw new Error('died');
    return world.db.commit(writes);
  };
  return { ...world, db: { ...world.db, commit } };
}

function shuffled<Value>(list: readonly Value[], dice: Dice): Value[] {
  const places = list.map((value) => ({ value, place: dice.below(1_000) }));
  return places.sort((a, b) => a.place - b.place).map((it) => it.value);
}

/** Some of what is in the queues arrives: in any order, twice, never, or at a worker that dies. */
async function deliverSome({ dice }: History): Promise<void> {
  const ready = takeReady(world, /^(delivery-|endpoint-care)/);
  for (const message of shuffled(ready, dice)) {
    const chance = dice.below(10);
    if (chance === 0) continue;
    const doors = chance === 1 ? dying(dice.below(3)) : world;
    await work(message, doors).catch((error: Error) => {
      if (error.message !== 'died') throw error;
    });
    if (chance === 2) await work(message, world);
  }
}

async function move(history: History): Promise<void> {
  const { dice, endpoint, events } = history;
  const chance = dice.below(12);
  if (chance < 4) {
    const event = await newEvent(world, endpoint.tenantId);
    events.push(event);
    await relayEvents([event], world);
  } else if (chance === 4) {
    history.turn();
  } else if (chance === 5) {
    await putStatus(world, endpoint, dice.below(2) === 0 ? 'paused' : 'disabled');
  } else if (chance === 6) {
    const message = await putStatus(world, endpoint, 'active');
    if (message && dice.below(2) === 0) world.sent.push({ ...message, queue: 'endpoint-care' });
  } else if (chance < 9) {
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
  }
  world.clock.advance(dice.below(2 * MINUTE_MS));
  await deliverSome(history);
}

async function rowsOf({ endpoint, events }: History): Promise<(Delivery | undefined)[]> {
  const { tenantId, id: endpointId } = endpoint;
  return findDeliveries(
    world.db,
    events.map((it) => ({ tenantId, endpointId, eventId: it.id })),
  );
}

/** No faults any more: the endpoint is open, its receiver well, and the sweeper does its rounds. */
async function settle(history: History): Promise<void> {
  const { endpoint } = history;
  history.turn(true);
  const message = await putStatus(world, endpoint, 'active');
  if (message) world.sent.push({ ...message, queue: 'endpoint-care' });
  for (let hour = 0; hour < 12; hour += 1) {
    // What was relayed while nothing could be claimed is relayed again by the reconciler.
    const rows = await rowsOf(history);
    const { endpointSets } = world;
    const lost = history.events.filter((_, index) => {
      const row = rows[index];
      return !row || (row.status === 'inflight' && row.dueMs === undefined);
    });
    if (lost.length > 0) await relayEvents(lost, { ...world, endpointSets });
    world.sent.push(...(await sweepEndpoint(world, endpoint)));
    await workUntil(world, world.clock.nowMs() + HOUR_MS / 4);
    if (rows.length > 0 && rows.every((it) => it && isFinal(it))) return;
  }
}

describe('a history of pauses, failures, crashes and lost messages', () => {
  it.each(SEEDS)('%i settles, and sends nothing after a success', async (seed) => {
    const dice = diceOf(seed);
    let isOk = true;
    const receiver = await startReceiver(() => (isOk ? 200 : 500));
    const endpoint = await newEndpoint(world, receiver.url, {
      retry: { maxAttempts: 12, scheduleSeconds: [5, 20, 60] },
    });
    const turn = (wanted?: boolean) => {
      isOk = wanted ?? !isOk;
    };
    const history: History = { dice, endpoint, events: [], turn };
    for (let nth = 0; nth < MOVES; nth += 1) await move(history);
    await settle(history);

    const rows = await rowsOf(history);
    const health = await findHealth(world.db, endpoint);
    for (const row of rows) {
      // Nothing is held behind an open door, and everything comes to its end.
      expect(['delivered', 'exhausted'], `${row?.eventId} ${health.openedAtMs}`).toContain(
        row?.status,
      );
      const numbers = row?.attempts.map((it) => it.n) ?? [];
      expect(new Set(numbers).size).toBe(numbers.length);
      const success = row?.attempts.findIndex((it) => it.outcome === 'delivered') ?? -1;
      if (success >= 0) expect(success).toBe(numbers.length - 1);
    }
    const copies = Map.groupBy(receiver.got, (it) => String(it.headers['webhook-id']));
    for (const row of rows) {
      expect(copies.get(row?.eventId ?? '')?.length).toBeLessThanOrEqual(row?.seq ?? 0);
    }
  });
});
