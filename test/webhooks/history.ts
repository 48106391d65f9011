import { findEvents } from '../../functions/events/event.store.ts';
import type { OutboxEvent } from '../../functions/events/event.ts';
import { careOf } from '../../functions/webhooks/arrival.ts';
import { findDeliveries } from '../../functions/webhooks/delivery.store.ts';
import { type Delivery, isFinal } from '../../functions/webhooks/delivery.ts';
import { firstMessage, sameMessage } from '../../functions/webhooks/delivery-message.ts';
import { findEndpoint } from '../../functions/webhooks/endpoint.store.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { relayEvents } from '../../functions/webhooks/relay-events.ts';
import { findOpenReplays } from '../../functions/webhooks/release.store.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import type { SentMessage } from '../support/world.ts';
import { webhooksApi } from './api.ts';
import { care, sweepEndpoint, takeReady, workUntil } from './care.ts';
import { type DeliveryWorld, handle, newEndpoint, newEvent } from './delivery-world.ts';
import { type Planted, plant } from './planted.ts';
import { startReceiver } from './receiver.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MOVES = 40;

/** A worker that stands still. Letting it go on answers when it has come to its end. */
type Frozen = () => Promise<void>;

interface History {
  readonly world: DeliveryWorld;
  readonly dice: Dice;
  readonly endpoint: Endpoint;
  readonly events: OutboxEvent[];
  readonly replays: string[];
  readonly frozen: Frozen[];
  readonly problems: string[];
  /** The events whose success was recorded. */
  readonly delivered: Set<string>;
  readonly patch: (body: object) => Promise<void>;
  /** The receiver fails, or is well again. */
  turn(isOk?: boolean): void;
}

/**
 * What is wrong after a history of deliveries to one endpoint, in which messages are lost, doubled
 * and late, workers die or stand still for minutes, and people pause, limit and replay. One seed
 * makes one history. With `planted`, a rule of the protocol is left out.
 */
export async function problemsOf(
  bare: DeliveryWorld,
  seed: number,
  planted?: Planted,
): Promise<readonly string[]> {
  const history = await begin(plant(bare, planted), seed);
  for (let nth = 0; nth < MOVES; nth += 1) await move(history);
  const isDeleted = history.dice.below(6) === 0;
  if (isDeleted) await ask(history, `DELETE /v1/endpoints/${history.endpoint.id}`);
  await settle(history);
  await judge(history);
  return history.problems;
}

async function begin(world: DeliveryWorld, seed: number): Promise<History> {
  let isOk = true;
  const receiver = await startReceiver(() => (isOk ? 200 : 500));
  const endpoint = await newEndpoint(world, receiver.url, {
    retry: { maxAttempts: 12, scheduleSeconds: [5, 20, 60] },
    timeoutMs: 15_000,
  });
  const history: History = {
    ...{ world, dice: diceOf(seed), endpoint },
    ...{ events: [], replays: [], frozen: [], problems: [], delivered: new Set() },
    patch: async (body) => void (await ask(history, `PATCH /v1/endpoints/${endpoint.id}`, body)),
    turn: (wanted) => {
      isOk = wanted ?? !isOk;
    },
  };
  return history;
}

function ask({ world, endpoint }: History, call: string, body?: object) {
  return webhooksApi(world)(endpoint.tenantId, call, body && { body });
}

async function move(history: History): Promise<void> {
  const { world, dice, endpoint, patch } = history;
  const chance = dice.below(16);
  if (chance < 5) await newOne(history);
  else if (chance === 5) history.turn();
  else if (chance < 8) await patch({ status: dice.below(4) === 0 ? 'disabled' : 'paused' });
  else if (chance === 8) await patch({ status: 'active' });
  else if (chance === 9) {
    const perSecond = [0.1, 1, 20][dice.below(4)];
    await patch({ rateLimit: perSecond === undefined ? null : { perSecond } });
  } else if (chance === 10) await replay(history);
  else if (chance === 11) await reconcile(history);
  else if (chance < 14) world.sent.push(...(await sweepEndpoint(world, endpoint)));
  world.clock.advance(dice.below(2 * MINUTE_MS));
  if (dice.below(6) === 0) await history.frozen.shift()?.();
  await deliverSome(history);
}

async function newOne({ world, endpoint, events }: History): Promise<void> {
  const event = await newEvent(world, endpoint.tenantId);
  events.push(event);
  await relayEvents([event], world);
}

/** Begins a replay of everything, or ends one. */
async function replay(history: History): Promise<void> {
  const { world, dice, endpoint, replays } = history;
  const last = replays.at(-1);
  if (last && dice.below(2) === 0) {
    await ask(history, `DELETE /v1/replays/${last}`);
    return;
  }
  const to = new Date(world.clock.nowMs()).toISOString();
  const body = { endpointId: endpoint.id, from: '2020-01-01T00:00:00Z', to };
  replays.push((await ask(history, 'POST /v1/replays', body)).body.id);
}

/** As the reconciler does, for what nobody looks after. */
async function reconcile(history: History): Promise<void> {
  const { world, endpoint, events } = history;
  const rows = await rowsOf(history);
  const sent = await sentOf(history);
  for (const [index, event] of events.entries()) {
    const row = rows[index];
    if (!sent.has(event.id) || careOf(row, world.clock.nowMs()) !== 'lost') continue;
    const message = row ? sameMessage(row) : firstMessage(event, { id: endpoint.id });
    world.sent.push({ ...message, queue: 'delivery-fast' });
  }
}

/** The events that went to the endpoint, by what they say. */
async function sentOf({ world, endpoint, events }: History): Promise<ReadonlySet<string>> {
  const ids = events.map((it) => it.id);
  const stored = await findEvents(world.db, endpoint.tenantId, ids);
  return new Set(stored.filter((it) => it.sentTo?.includes(endpoint.id)).map((it) => it.id));
}

/** Some of what is in the queues arrives: in any order, twice, never, or at a bad worker. */
async function deliverSome(history: History): Promise<void> {
  const { world, dice } = history;
  const ready = takeReady(world, /^(delivery-|endpoint-care)/);
  for (const message of shuffled(ready, dice)) {
    const chance = dice.below(10);
    if (chance === 0) continue;
    if (chance === 1) await forgiving(message, dying(history, dice.below(3)));
    else if (chance < 4) await freeze(message, history);
    else await work(message, watched(history));
    if (chance === 4) await work(message, watched(history));
  }
}

function shuffled<Value>(list: readonly Value[], dice: Dice): Value[] {
  const places = list.map((value) => ({ value, place: dice.below(1_000) }));
  return places.sort((a, b) => a.place - b.place).map((it) => it.value);
}

async function work(message: SentMessage, doors: DeliveryWorld): Promise<void> {
  if (message.queue === 'endpoint-care') await care(message, doors);
  else await handle(message, doors);
}

async function forgiving(message: SentMessage, doors: DeliveryWorld): Promise<void> {
  await work(message, doors).catch((error: Error) => {
    if (error.message !== 'died') throw error;
  });
}

/** A worker that dies after so many commits: what it has not written by then it never writes. */
function dying(history: History, commitsLeft: number): DeliveryWorld {
  const doors = watched(history);
  let left = commitsLeft;
  const commit: DeliveryWorld['db']['commit'] = async (writes) => {
    left -= 1;
    if (left < 0) throw new Error('died');
    return doors.db.commit(writes);
  };
  return { ...doors, db: { ...doors.db, commit } };
}

/** A worker that stands still before one of its writes or its request, until it is thawed. */
async function freeze(message: SentMessage, history: History): Promise<void> {
  const doors = watched(history);
  const thaw = Promise.withResolvers<void>();
  const isStill = Promise.withResolvers<void>();
  // Mostly before its first write: then it decides by what was so long ago.
  let left = Math.max(0, history.dice.below(4) - 1);
  const pass = async () => {
    left -= 1;
    if (left !== -1) return;
    isStill.resolve();
    await thaw.promise;
  };
  const frozen: DeliveryWorld = {
    ...doors,
    db: { ...doors.db, commit: async (it) => pass().then(() => doors.db.commit(it)) },
    http: { ...doors.http, post: async (it) => pass().then(() => doors.http.post(it)) },
  };
  const done = work(message, frozen);
  await Promise.race([done, isStill.promise]);
  history.frozen.push(async () => {
    thaw.resolve();
    await done;
  });
}

/** Notes each request that goes out although a success was recorded. */
function watched({ world, delivered, problems }: History): DeliveryWorld {
  const commit: DeliveryWorld['db']['commit'] = async (writes) => {
    const result = await world.db.commit(writes);
    for (const write of writes) {
      const isSuccess = write.kind === 'update' && write.values?.[':status'] === 'delivered';
      if (result.ok && isSuccess) delivered.add(write.key.sk);
    }
    return result;
  };
  return {
    ...world,
    db: { ...world.db, commit },
    http: {
      ...world.http,
      post: async (request) => {
        const eventId = String(request.headers['webhook-id']);
        const isAgain = delivered.has(eventId);
        const result = await world.http.post(request);
        if (isAgain && result.kind !== 'abandoned') {
          problems.push(`${eventId} went out after its success`);
        }
        return result;
      },
    },
  };
}

async function rowsOf({ world, endpoint, events }: History): Promise<(Delivery | undefined)[]> {
  const { tenantId, id: endpointId } = endpoint;
  const names = events.map((it) => ({ tenantId, endpointId, eventId: it.id }));
  return findDeliveries(world.db, names);
}

/**
 * No faults any more: the endpoint is open, its receiver well, and the sweeper does its rounds. Of
 * those who stand still some go on once what was held is released, and the others at the end.
 */
async function settle(history: History): Promise<void> {
  const { world, endpoint, frozen, patch } = history;
  history.turn(true);
  const found = await findEndpoint(world.db, endpoint.tenantId, endpoint.id);
  // Opening it once more would release what should not be held any more.
  if (found && found.status !== 'active') await patch({ status: 'active' });
  await workUntil(watched(history), world.clock.nowMs() + 3 * MINUTE_MS);
  const some = frozen.splice(0, Math.ceil(frozen.length / 2));
  for (const thaw of some) await thaw();
  for (let round = 0; round < 4; round += 1) await passQuarter(history);
  for (const thaw of frozen.splice(0)) await thaw();
  for (let round = 0; round < 48; round += 1) {
    if (await passQuarter(history)) return;
  }
}

/** Whether nothing is left to do after this quarter of an hour. */
async function passQuarter(history: History): Promise<boolean> {
  const { world, endpoint, events } = history;
  await reconcile(history);
  world.sent.push(...(await sweepEndpoint(world, endpoint)));
  await workUntil(watched(history), world.clock.nowMs() + HOUR_MS / 4);
  const rows = await rowsOf(history);
  const sent = await sentOf(history);
  const isOver = rows.every((it, nth) => (it ? isFinal(it) : !sent.has(events[nth]?.id ?? '')));
  return isOver && (await openReplays(history)) === 0;
}

async function openReplays({ world, endpoint }: History): Promise<number> {
  const { tenantId, id: endpointId } = endpoint;
  return (await findOpenReplays(world, { tenantId, endpointId })).length;
}

async function judge(history: History): Promise<void> {
  const { events, problems } = history;
  const rows = await rowsOf(history);
  const sent = await sentOf(history);
  for (const [index, row] of rows.entries()) {
    const id = events[index]?.id ?? '';
    const isSent = sent.has(id);
    if (isSent && !row) problems.push(`${id} has no record`);
    if (row && !isSent) problems.push(`${id} does not name its endpoint`);
    if (row && !isFinal(row)) problems.push(`${id} is ${row.status}`);
    const numbers = row?.attempts.map((it) => it.n) ?? [];
    if (new Set(numbers).size < numbers.length) problems.push(`${id} has an attempt twice`);
    const success = row?.attempts.findIndex((it) => it.outcome === 'delivered') ?? -1;
    if (success >= 0 && success < numbers.length - 1) problems.push(`${id} went on after success`);
  }
  if ((await openReplays(history)) > 0) problems.push('a replay is not over');
}
