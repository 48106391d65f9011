import { listOutbox, OUTBOX_SHARDS } from '../events/event.store.ts';
import type { RelayedEvent } from '../events/event.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import {
  afterVisits,
  type MinuteVisit,
  type MinuteWatch,
  minutesToVisit,
} from '../shared/minute-watch.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Message, World } from '../shared/world.ts';
import { careOf } from './arrival.ts';
import { findDeliveries } from './delivery.store.ts';
import { firstMessage, sameMessage } from './delivery-message.ts';
import { findWatches, putWatches } from './outbox-watch.store.ts';
import { type RelayNeeds, relayEvents } from './relay-events.ts';

/** When the reconciler cares for an event, after its commit. */
export interface Patience {
  /** It should have been relayed by then. */
  readonly reconcileAfterSeconds: number;
  /** Each of its deliveries should have been looked after by then. */
  readonly recheckAfterSeconds: number;
}

type Needs = RelayNeeds & Pick<World, 'db'> & { readonly patience: Patience };

/** Does what is left to do for these events, and answers whether nothing is. */
type Check = (events: readonly RelayedEvent[], world: Needs) => Promise<boolean>;

/**
 * One tick: relays what was left, and sends again what got lost between the relay and the first
 * claim. It visits each minute of the outbox twice, and those with work left again and again.
 */
export async function reconcileOutbox(world: Needs): Promise<void> {
  const { db, patience } = world;
  const watches = await findWatches(db);
  const relay = await runCheck(
    { watch: watches?.relay, ageMs: patience.reconcileAfterSeconds * SECOND_MS, check: relayLeft },
    world,
  );
  const recheck = await runCheck(
    { watch: watches?.recheck, ageMs: patience.recheckAfterSeconds * SECOND_MS, check: resend },
    world,
  );
  await db.commit([putWatches({ relay, recheck })]);
  world.log.info('outbox.reconciled', { relay, recheck });
}

interface Round {
  readonly watch: MinuteWatch | undefined;
  /** Events younger than this are left alone. */
  readonly ageMs: number;
  readonly check: Check;
}

/** How far the very first tick of an installation looks back. */
const FIRST_LOOK_MINUTES = 5;

async function runCheck({ watch, ageMs, check }: Round, world: Needs): Promise<MinuteWatch> {
  const oldestMs = world.clock.nowMs() - ageMs;
  const newest = Math.floor(oldestMs / MINUTE_MS);
  const from = watch ?? { through: newest - FIRST_LOOK_MINUTES, open: [] };
  const visits: MinuteVisit[] = [];
  for (const minute of minutesToVisit(from, newest)) {
    visits.push({ minute, isDone: await visitMinute({ minute, oldestMs, check }, world) });
  }
  // Of the newest minute some events are too young.
  return afterVisits(from, visits, newest - 1);
}

interface MinuteToVisit {
  readonly minute: number;
  readonly oldestMs: number;
  readonly check: Check;
}

async function visitMinute(
  { minute, oldestMs, check }: MinuteToVisit,
  world: Needs,
): Promise<boolean> {
  const shards = Array.from({ length: OUTBOX_SHARDS }, (_, shard) => shard);
  const done = await Promise.all(
    shards.map(async (shard) => {
      let isDone = true;
      for await (const page of listOutbox(world.db, minute, shard)) {
        const old = page.filter((it) => timeOfId(it.id) <= oldestMs);
        isDone = (await check(old, world)) && isDone;
      }
      return isDone;
    }),
  );
  return done.every(Boolean);
}

async function relayLeft(events: readonly RelayedEvent[], world: Needs): Promise<boolean> {
  const unrelayed = events.filter((it) => it.relayedAtMs === undefined);
  if (unrelayed.length === 0) return true;
  const oldestMs = Math.min(...unrelayed.map((it) => timeOfId(it.id)));
  world.metrics.count('OldestUnrelayedMs', world.clock.nowMs() - oldestMs);
  world.log.warn('outbox.unrelayed', { events: unrelayed.length, oldestMs });
  return (await relayEvents(unrelayed, world)) === 0;
}

/** An event that is relayed only now has to be looked at again, when its time has come. */
async function resend(events: readonly RelayedEvent[], world: Needs): Promise<boolean> {
  const isRelayed = await relayLeft(events, world);
  const wasRelayed = events.filter((it) => it.relayedAtMs !== undefined);
  const names = wasRelayed.flatMap((event) =>
    (event.sentTo ?? []).map((endpointId) => ({
      event,
      tenantId: event.tenantId,
      endpointId,
      eventId: event.id,
    })),
  );
  const rows = await findDeliveries(world.db, names);
  const nowMs = world.clock.nowMs();
  const cares = rows.map((row) => careOf(row, nowMs));
  const messages = names.flatMap(({ event, endpointId }, index): Message[] => {
    const row = rows[index];
    if (cares[index] !== 'lost') return [];
    return [row ? sameMessage(row) : firstMessage(event, endpointId)];
  });
  if (messages.length > 0) {
    world.log.warn('outbox.resent', { messages: messages.length });
    await world.queues.send('delivery-fast', messages);
  }
  const isWhole = wasRelayed.length === events.length;
  return isRelayed && isWhole && cares.every((it) => it === 'done');
}
