import { markHanded, markRelayed } from '../events/event.store.ts';
import type { OutboxEvent, RelayedEvent } from '../events/event.ts';
import type { TickTime } from '../shared/aws/schedule.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import { inParts } from '../shared/in-parts.ts';
import { Problem } from '../shared/problem.ts';
import { DAY_MS, MINUTE_MS } from '../shared/units.ts';
import type { Message, QueueName, World } from '../shared/world.ts';
import { lateDelivery } from './delivery.ts';
import { firstMessage, MESSAGE_AHEAD_MS_MAX } from './delivery-message.ts';
import { type Endpoint, wants } from './endpoint.ts';
import { type FoundEndpoints, findReadableEndpoints } from './endpoint-list.store.ts';
import { addressOf } from './event-address.ts';
import type { Slot } from './pace.ts';
import type { FastLane } from './remember-bursts.ts';
import type { EndpointSets } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { takeSlots } from './take-slots.ts';
import { wait } from './waiting.ts';

export type RelayNeeds = Pick<
  World,
  'clock' | 'db' | 'ids' | 'log' | 'meters' | 'metrics' | 'queues'
> & {
  readonly endpointSets: EndpointSets;
  readonly fastLane: FastLane;
};

/** One event for one endpoint. */
interface Pair {
  readonly event: OutboxEvent;
  readonly endpoint: Endpoint;
  readonly lane: 'delivery-fast' | 'delivery-slow';
  /** Only for a limited endpoint. */
  readonly slot?: Slot | undefined;
}

/**
 * What has slots at such a limit, of all endpoints of a tenant together, comes one by one, and
 * needs workers that are free in time.
 */
const CALM_PER_SECOND = 100;

/**
 * A message is as old as its sending. In the fast lane one that is some minutes old wakes somebody
 * up, so that what has its slot later than this waits in the other one.
 */
const FAST_AHEAD_MS_MAX = 2 * MINUTE_MS;

/** So many messages are in memory at once, each of up to 48 KB. */
const CHUNK = 500;
/** So many are handed over together, where the time is looked at. */
const PART = 1_000;

/** What went wrong in one call. */
interface Trouble {
  /** Whose message did not go out. */
  readonly failed: Set<string>;
  /** Events of which nobody knows who else wants them. */
  readonly unsure: Set<string>;
}

/**
 * Hands every event to every endpoint that wants it and then marks it. Safe to repeat: the claims
 * of the deliveries make a second message harmless. The trouble of one endpoint or tenant only
 * leaves its events unmarked, for the reconciler, with a note of who has them already. Answers how
 * many were left so. With a time to stop it goes part by part, each with its marks, and leaves what
 * it does not come to.
 */
export async function relayEvents(
  events: readonly RelayedEvent[],
  world: RelayNeeds,
  { stopMs }: TickTime = { stopMs: Infinity },
): Promise<number> {
  const trouble = { failed: new Set<string>(), unsure: new Set<string>() };
  const byTenant = Map.groupBy(events, (it) => it.tenantId);
  const matched = await Promise.all([...byTenant.values()].map((it) => match(it, trouble, world)));
  const pairs = Map.groupBy(matched.flat(), (it) => it.event.id);
  const pairsOf = ({ id }: OutboxEvent) => pairs.get(id) ?? [];

  // In one go each limited endpoint is asked once for all its slots.
  const most = stopMs === Infinity ? Infinity : PART;
  let marked = 0;
  for (const part of inParts(events, most, (it) => pairsOf(it).length)) {
    if (world.clock.nowMs() >= stopMs) break;
    await handOver(part.flatMap(pairsOf), trouble, world);
    const marks = await Promise.all(part.map((it) => note(it, pairsOf(it), { trouble, world })));
    marked += marks.filter((isMarked) => isMarked).length;
  }
  const left = events.length - marked;
  if (left > 0) world.metrics.count('EventsLeftUnrelayed', left);
  return left;
}

/** Who wants the events of one tenant. An outage throws: then nothing can be relayed anyway. */
async function match(
  events: readonly RelayedEvent[],
  { unsure }: Trouble,
  world: RelayNeeds,
): Promise<Pair[]> {
  const tenantId = events[0]?.tenantId ?? '';
  const endpoints = await readEndpoints(tenantId, world);
  if (endpoints.damaged.length > 0) {
    for (const { id } of leaveOpen(events, endpoints, world)) unsure.add(id);
  }
  const pairs = events.flatMap((event) => {
    const address = addressOf(event);
    const handedTo = new Set(event.handedTo);
    const wanting = endpoints.endpoints.filter((it) => wants(it, address) && !handedTo.has(it.id));
    return wanting.map((endpoint) => ({ event, endpoint }));
  });
  const isTroubled = endpoints.endpoints.some((it) => it.slow && it.status === 'active');
  const calm = calmOf(pairs);
  const bursting = pairs.filter(({ endpoint }) => !endpoint.slow && !calm.has(endpoint.id));
  const isFast = ({ event }: { readonly event: OutboxEvent }) =>
    world.fastLane(tenantId, { atMs: timeOfId(event.id), isTroubled });
  const slow = new Set(bursting.filter((it) => !isFast(it)));
  return pairs.map((pair): Pair => {
    const isSlow = pair.endpoint.slow || slow.has(pair);
    return { ...pair, lane: isSlow ? 'delivery-slow' : 'delivery-fast' };
  });
}

/** The endpoints that need no share of the fast lane: their limits are low also together. */
function calmOf(pairs: readonly Pick<Pair, 'endpoint'>[]): ReadonlySet<string> {
  const calm = new Set<string>();
  let left = CALM_PER_SECOND;
  for (const { endpoint } of pairs) {
    const { id, slow, perSecond = Infinity } = endpoint;
    if (slow || calm.has(id) || perSecond > left) continue;
    calm.add(id);
    left -= perSecond;
  }
  return calm;
}

/** Of a damaged endpoint nobody knows what it wants: the others get theirs nevertheless. */
async function readEndpoints(tenantId: string, world: RelayNeeds): Promise<FoundEndpoints> {
  try {
    return { endpoints: await world.endpointSets(tenantId), damaged: [] };
  } catch (error) {
    if (error instanceof Problem) throw error;
    const found = await findReadableEndpoints(world.db, tenantId);
    world.log.error('relay.bad-endpoints', { tenantId, damaged: found.damaged, error });
    return found;
  }
}

/** How long events wait for a damaged endpoint. */
const DAMAGED_MS = DAY_MS;

/**
 * The events that wait for a damaged endpoint. Others have waited for a day: they are passed on
 * without it, so that what waits stays in bounds. A replay of what is missing brings it those.
 */
function leaveOpen(
  events: readonly RelayedEvent[],
  { damaged }: FoundEndpoints,
  { clock, log }: RelayNeeds,
): readonly RelayedEvent[] {
  const waiting = events.filter(({ id }) => clock.nowMs() - timeOfId(id) < DAMAGED_MS);
  const passedOn = events.length - waiting.length;
  const [first] = events;
  if (first && passedOn > 0) {
    log.error('relay.passed-on', { tenantId: first.tenantId, damaged, events: passedOn });
  }
  return waiting;
}

function endpointIdOf({ endpoint }: Pair): string {
  return endpoint.id;
}

function nameOf({ event, endpoint }: Pick<Pair, 'event' | 'endpoint'>): string {
  return `${event.id} ${endpoint.id}`;
}

/** Adds to `failed` those whose message did not go out. */
async function handOver(
  pairs: readonly Pair[],
  { failed }: Trouble,
  world: RelayNeeds,
): Promise<void> {
  const groups = Map.groupBy(pairs, endpointIdOf);
  const paced = await Promise.all([...groups.values()].map((it) => pace(it, failed, world)));
  const all = paced.flat();
  for (const [lane, them] of Map.groupBy(all, (it) => it.lane)) {
    for (let start = 0; start < them.length; start += CHUNK) {
      await sendChunk({ lane, pairs: them.slice(start, start + CHUNK) }, failed, world);
    }
  }
}

/**
 * Reserves the slots of one endpoint's events; far slots are written down at once. What is paused
 * or disabled gets none: whoever takes its messages holds them.
 */
async function pace(pairs: readonly Pair[], failed: Set<string>, world: RelayNeeds) {
  const [first] = pairs;
  if (first?.endpoint.perSecond === undefined || first.endpoint.status !== 'active') return pairs;
  try {
    const { slotsMs, version } = await takeSlots(world, first.endpoint, pairs.length);
    const nowMs = world.clock.nowMs();
    const latestMs = nowMs + MESSAGE_AHEAD_MS_MAX;
    const slotted = pairs.map((pair, index) => {
      const atMs = slotsMs[index] ?? latestMs;
      const lane = atMs > nowMs + FAST_AHEAD_MS_MAX ? 'delivery-slow' : pair.lane;
      return { ...pair, lane, slot: { atMs, version } } as const;
    });
    const far = slotted.filter(({ slot }) => slot.atMs > latestMs);
    await Promise.all(far.map((it) => insertWaiting(it, failed, world)));
    return slotted.filter(({ slot }) => slot.atMs <= latestMs);
  } catch (error) {
    for (const it of pairs) failed.add(nameOf(it));
    world.log.warn('relay.pace-failed', { endpointId: first.endpoint.id, error });
    return [];
  }
}

/** A record that is there already is as good: an earlier relay of the event wrote it. */
async function insertWaiting(
  pair: Pair & { readonly slot: Slot },
  failed: Set<string>,
  world: RelayNeeds,
): Promise<void> {
  const { event, endpoint, slot } = pair;
  const { tenantId, id: eventId, type: eventType } = event;
  const what = { tenantId, endpointId: endpoint.id, eventId, eventType };
  const nowMs = world.clock.nowMs();
  const before = lateDelivery(what, nowMs);
  try {
    await saveStep(world, { before, after: wait(before, slot, nowMs) });
  } catch (error) {
    failed.add(nameOf(pair));
    world.log.warn('relay.waiting-failed', { endpointId: endpoint.id, eventId, error });
  }
}

async function sendChunk(
  { lane, pairs }: { readonly lane: QueueName; readonly pairs: readonly Pair[] },
  failed: Set<string>,
  { queues, log }: RelayNeeds,
): Promise<void> {
  const isSlow = lane === 'delivery-slow';
  const messages: Message[] = pairs.map(({ event, endpoint, slot }) =>
    firstMessage(event, { id: endpoint.id, isSlow }, slot),
  );
  try {
    const refused = await queues.send(lane, messages);
    for (const it of refused.flatMap((index) => pairs[index] ?? [])) failed.add(nameOf(it));
  } catch (error) {
    for (const it of pairs) failed.add(nameOf(it));
    log.warn('relay.send-failed', { messages: messages.length, error });
  }
}

interface Noting {
  readonly trouble: Trouble;
  readonly world: RelayNeeds;
}

/**
 * Notes who has an event by now: as relayed, if those are all. An event whose note fails is relayed
 * again, which is harmless.
 */
async function note(
  event: OutboxEvent,
  pairs: readonly Pair[],
  { trouble: { failed, unsure }, world: { clock, db, log } }: Noting,
): Promise<boolean> {
  const handed = failed.size === 0 ? pairs : pairs.filter((it) => !failed.has(nameOf(it)));
  const isWhole = handed.length === pairs.length && !unsure.has(event.id);
  if (!isWhole && handed.length === 0) return false;
  const to = handed.map(endpointIdOf);
  const write = isWhole ? markRelayed(event, to, clock.nowMs()) : markHanded(event, to);
  try {
    const commit = await db.commit([write]);
    return isWhole && commit.ok;
  } catch (error) {
    log.warn('relay.mark-failed', { eventId: event.id, error });
    return false;
  }
}
