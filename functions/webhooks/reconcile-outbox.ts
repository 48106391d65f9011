import { listMinute, type OutboxPlace, placeOf } from '../events/event.store.ts';
import type { RelayedEvent } from '../events/event.ts';
import type { TickTime } from '../shared/aws/schedule.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { inParts } from '../shared/in-parts.ts';
import {
  type MinuteStop,
  type MinuteVisit,
  type MinuteWatch,
  setBack,
  watchMinutes,
} from '../shared/minute-watch.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Message, World } from '../shared/world.ts';
import { type Care, findCares } from './delivery-care.store.ts';
import { firstMessage, sameMessage } from './delivery-message.ts';
import { findWatches, putWatches, type Watches } from './outbox-watch.store.ts';
import { type RelayNeeds, relayEvents } from './relay-events.ts';

/** When the reconciler cares for an event, after its commit. */
export interface Patience {
  /** It should have been relayed by then. */
  readonly reconcileAfterSeconds: number;
  /** Each of its deliveries should have been looked after by then. */
  readonly recheckAfterSeconds: number;
}

type Needs = RelayNeeds & Pick<World, 'db'> & { readonly patience: Patience };

/** What is left to do for some events. */
interface Left {
  readonly isDone: boolean;
  /** Only a person can do what is left. */
  readonly isDamaged?: boolean;
  /** When the oldest of those was committed that nobody had relayed. */
  readonly unrelayedMs?: number | undefined;
  /** Where the time was up. */
  readonly stop?: MinuteStop | undefined;
}

/** Does what is left to do for these events, and answers what it could not. */
type Check = (events: readonly RelayedEvent[], world: Needs, time: TickTime) => Promise<Left>;

/**
 * One tick: relays what was left, and sends again what got lost between the relay and the first
 * claim. It visits each minute of the outbox twice, and those with work left again and again, but
 * less and less often. The relay has at most half of the time.
 */
export async function reconcileOutbox(
  world: Needs,
  { stopMs }: TickTime = { stopMs: Infinity },
): Promise<void> {
  const { clock, db, patience } = world;
  const watches = await findWatches(db);
  const relay = await runCheck(
    {
      name: 'relay',
      watches,
      ageMs: patience.reconcileAfterSeconds * SECOND_MS,
      stopMs: (clock.nowMs() + stopMs) / 2,
      check: relayLeft,
    },
    world,
  );
  const recheck = await runCheck(
    {
      name: 'recheck',
      watches: { ...watches, relay: relay.watch },
      ageMs: patience.recheckAfterSeconds * SECOND_MS,
      stopMs,
      check: resend,
    },
    world,
  );
  const oldestMs = Math.min(relay.unrelayedMs, recheck.unrelayedMs);
  if (oldestMs < Infinity) world.metrics.count('OldestUnrelayedMs', clock.nowMs() - oldestMs);
  world.metrics.count('ReconcilerTicks');
  world.log.info('outbox.reconciled', { relay: relay.watch, recheck: recheck.watch });
}

interface CheckRound extends TickTime {
  readonly name: keyof Watches;
  readonly watches: Watches;
  /** Events younger than this are left alone. */
  readonly ageMs: number;
  readonly check: Check;
}

/** How far the very first tick of an installation looks back. */
const FIRST_LOOK_MINUTES = 5;

async function runCheck(round: CheckRound, world: Needs) {
  const { name, watches, ageMs, stopMs } = round;
  const nowMs = world.clock.nowMs();
  const oldestMs = nowMs - ageMs;
  const newest = Math.floor(oldestMs / MINUTE_MS);
  // Of the newest minute some events are too young.
  const settled = newest - 1;
  let unrelayedMs = Infinity;
  const found = watches[name] ?? { through: newest - FIRST_LOOK_MINUTES, open: [] };
  const before = setBack(found, { settled, againMs: nowMs + WAIT_AGES_MAX * ageMs });
  const stops = new Map(before.open.map((it) => [it.minute, it.stop]));
  const watch = await watchMinutes(world, {
    watch: before,
    newest,
    settled,
    stopMs,
    visit: async (minute) => {
      // What a repair has set back is visited as a whole.
      const stop = minute > before.through ? undefined : stops.get(minute);
      const left = await visitMinute({ ...round, minute, oldestMs, stop }, world);
      unrelayedMs = Math.min(unrelayedMs, left.unrelayedMs ?? Infinity);
      return toVisit(minute, left, { ageMs, nowMs: world.clock.nowMs() });
    },
    save: (next: MinuteWatch) => world.db.commit([putWatches({ ...watches, [name]: next })]),
  });
  return { watch, unrelayedMs };
}

/** Of a minute with nothing but damage in it a person hears for a day. */
const DAMAGED_MS = DAY_MS;
/** No minute with work left waits for longer than this multiple of the patience. */
const WAIT_AGES_MAX = 3;
/** The clock does not call on the second. */
const EARLY_MS = MINUTE_MS / 2;

/**
 * A minute with work left is visited again after a quarter of the patience, and then at half of
 * its delay: what only waits behind a backlog must not add to it at every tick.
 */
function toVisit(
  minute: number,
  { isDone, isDamaged = false, stop }: Left,
  { ageMs, nowMs }: { readonly ageMs: number; readonly nowMs: number },
): MinuteVisit {
  if (stop) return { minute, againMs: nowMs, stop };
  const lateMs = nowMs - ageMs - (minute + 1) * MINUTE_MS;
  if (isDone && !(isDamaged && lateMs < DAMAGED_MS)) return { minute };
  const waitMs = Math.min(WAIT_AGES_MAX * ageMs, Math.max(ageMs / 4, lateMs / 2));
  return { minute, againMs: nowMs + waitMs - EARLY_MS, ...(isDone && { isDamaged: true }) };
}

interface MinuteToVisit extends CheckRound {
  readonly minute: number;
  readonly oldestMs: number;
  /** Where the visit before has ended. */
  readonly stop: MinuteStop | undefined;
}

/** So many deliveries are looked at in one go, and the time after each of them. */
const PART = 500;

/** Nobody knows yet how many endpoints want what was not relayed. */
function weightOf({ sentTo, handedTo = [] }: RelayedEvent): number {
  return sentTo?.length ?? handedTo.length + 5;
}

/**
 * Ends where the time is up. Also within a page: the events of one can lead to tens of thousands of
 * deliveries, and a minute to more than a tick can look at.
 */
async function visitMinute(what: MinuteToVisit, world: Needs): Promise<Left> {
  const { minute, oldestMs, stopMs, check, stop } = what;
  const left: Left[] = stop ? [{ isDone: stop.isDone, isDamaged: stop.isDamaged }] : [];
  const isLate = () => world.clock.nowMs() >= stopMs;
  for await (const { events, unreadable, place } of listMinute(world.db, minute, stop)) {
    if (isLate()) return stopped(left, place);
    left.push(damage(unreadable, what, world));
    const old = events.filter((it) => timeOfId(it.id) <= oldestMs);
    for (const part of inParts(old, PART, weightOf)) {
      const [first] = part;
      if (first && isLate()) return stopped(left, placeOf(first));
      left.push(await check(part, world, { stopMs }));
    }
  }
  return together(left);
}

function stopped(parts: readonly Left[], { shard, sk }: OutboxPlace): Left {
  const { isDone, isDamaged = false, unrelayedMs } = together(parts);
  return { isDone: false, unrelayedMs, stop: { shard, sk, isDone, isDamaged } };
}

function damage(
  unreadable: number,
  { minute, name }: MinuteToVisit,
  { log, metrics }: Needs,
): Left {
  if (unreadable === 0) return { isDone: true };
  log.error('outbox.unreadable', { check: name, minute, rows: unreadable });
  metrics.count('UnreadableRows', unreadable);
  return { isDone: true, isDamaged: true };
}

function together(parts: readonly Left[]): Left {
  return {
    isDone: parts.every((it) => it.isDone),
    isDamaged: parts.some((it) => it.isDamaged),
    unrelayedMs: Math.min(...parts.map((it) => it.unrelayedMs ?? Infinity)),
  };
}

async function relayLeft(
  events: readonly RelayedEvent[],
  world: Needs,
  time: TickTime,
): Promise<Left> {
  const unrelayed = events.filter((it) => it.relayedAtMs === undefined);
  if (unrelayed.length === 0) return { isDone: true };
  const unrelayedMs = Math.min(...unrelayed.map((it) => timeOfId(it.id)));
  world.log.warn('outbox.unrelayed', { events: unrelayed.length, oldestMs: unrelayedMs });
  return { isDone: (await relayEvents(unrelayed, world, time)) === 0, unrelayedMs };
}

/** An event that is relayed only now has to be looked at again, when its time has come. */
async function resend(
  events: readonly RelayedEvent[],
  world: Needs,
  time: TickTime,
): Promise<Left> {
  const relay = await relayLeft(events, world, time);
  const wasRelayed = events.filter((it) => it.relayedAtMs !== undefined);
  const pairs = events.flatMap((event) =>
    (event.sentTo ?? event.handedTo ?? []).map((endpointId) => ({ event, endpointId })),
  );
  const cares: Care[] = [];
  for (let start = 0; start < pairs.length; start += PART) {
    cares.push(...(await resendLost(pairs.slice(start, start + PART), world)));
  }
  const damaged = cares.filter((it) => it.care === 'unreadable').length;
  if (damaged > 0) world.metrics.count('UnreadableRows', damaged);
  const isWhole = wasRelayed.length === events.length;
  const isCaredFor = cares.every((it) => it.care === 'done' || it.care === 'unreadable');
  return { ...relay, isDone: isWhole && isCaredFor, isDamaged: damaged > 0 };
}

/** What the relay has handed on for one endpoint. */
interface HandedOn {
  readonly event: RelayedEvent;
  readonly endpointId: string;
}

/** Answers what these deliveries needed; those that were lost have their message again. */
async function resendLost(pairs: readonly HandedOn[], world: Needs): Promise<Care[]> {
  const names = pairs.map(({ event, endpointId }) => {
    return { tenantId: event.tenantId, endpointId, eventId: event.id };
  });
  const cares = await findCares(world, names);
  const messages = pairs.flatMap(({ event, endpointId }, index): Message[] => {
    const { care, delivery } = cares[index] ?? {};
    if (care !== 'lost') return [];
    return [delivery ? sameMessage(delivery) : firstMessage(event, { id: endpointId })];
  });
  if (messages.length > 0) {
    world.log.warn('outbox.resent', { messages: messages.length });
    await world.queues.send('delivery-fast', messages);
  }
  return cares;
}
