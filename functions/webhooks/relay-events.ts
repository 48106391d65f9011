import { markRelayed } from '../events/event.store.ts';
import type { OutboxEvent } from '../events/event.ts';
import { Problem } from '../shared/problem.ts';
import type { Message, QueueName, World } from '../shared/world.ts';
import { newDelivery } from './delivery.ts';
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

export type RelayNeeds = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'metrics' | 'queues'> & {
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

/** So many messages are in memory at once, each of up to 48 KB. */
const CHUNK = 500;

/**
 * Hands every event to every endpoint that wants it and then marks it. Safe to repeat: the claims
 * of the deliveries make a second message harmless. The trouble of one endpoint or tenant only
 * leaves its events unmarked, for the reconciler. Answers how many were left so.
 */
export async function relayEvents(
  events: readonly OutboxEvent[],
  world: RelayNeeds,
): Promise<number> {
  const failed = new Set<string>();
  const byTenant = Map.groupBy(events, (it) => it.tenantId);
  const matched = await Promise.all([...byTenant.values()].map((it) => match(it, failed, world)));
  const pairs = matched.flat();
  await handOver(pairs, failed, world);

  const sentTo = Map.groupBy(pairs, (it) => it.event.id);
  const done = events.filter((it) => !failed.has(it.id));
  const marks = await Promise.all(
    done.map((event) => mark(event, (sentTo.get(event.id) ?? []).map(endpointIdOf), world)),
  );
  const left = failed.size + marks.filter((isMarked) => !isMarked).length;
  if (left > 0) world.metrics.count('EventsLeftUnrelayed', left);
  return left;
}

/** Who wants the events of one tenant. An outage throws: then nothing can be relayed anyway. */
async function match(
  events: readonly OutboxEvent[],
  failed: Set<string>,
  world: RelayNeeds,
): Promise<Pair[]> {
  const tenantId = events[0]?.tenantId ?? '';
  const endpoints = await readEndpoints(tenantId, world);
  if (endpoints.damaged.length > 0) for (const { id } of events) failed.add(id);
  const pairs = events.flatMap((event) => {
    const address = addressOf(event);
    const wanting = endpoints.endpoints.filter((it) => wants(it, address));
    return wanting.map((endpoint) => ({ event, endpoint }));
  });
  const isTroubled = endpoints.endpoints.some((it) => it.slow && it.status === 'active');
  const calm = calmOf(pairs);
  const bursting = pairs.filter(({ endpoint }) => !endpoint.slow && !calm.has(endpoint.id));
  const messages = bursting.length;
  const share = messages > 0 ? world.fastLane(tenantId, { messages, isTroubled }) : 0;
  const slow = new Set(bursting.slice(share));
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

function endpointIdOf({ endpoint }: Pair): string {
  return endpoint.id;
}

/** Adds to `failed` the events of which not every message went out. */
async function handOver(
  pairs: readonly Pair[],
  failed: Set<string>,
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

/** Reserves the slots of one endpoint's events; far slots are written down at once. */
async function pace(pairs: readonly Pair[], failed: Set<string>, world: RelayNeeds) {
  const [first] = pairs;
  if (first?.endpoint.perSecond === undefined) return pairs;
  try {
    const { slotsMs, version } = await takeSlots(world, first.endpoint, pairs.length);
    const latestMs = world.clock.nowMs() + MESSAGE_AHEAD_MS_MAX;
    const slotted = pairs.map((pair, index) => ({
      ...pair,
      slot: { atMs: slotsMs[index] ?? latestMs, version },
    }));
    const far = slotted.filter(({ slot }) => slot.atMs > latestMs);
    await Promise.all(far.map((it) => insertWaiting(it, failed, world)));
    return slotted.filter(({ slot }) => slot.atMs <= latestMs);
  } catch (error) {
    for (const { event } of pairs) failed.add(event.id);
    world.log.warn('relay.pace-failed', { endpointId: first.endpoint.id, error });
    return [];
  }
}

/** A record that is there already is as good: an earlier relay of the event wrote it. */
async function insertWaiting(
  { event, endpoint, slot }: Pair & { readonly slot: Slot },
  failed: Set<string>,
  world: RelayNeeds,
): Promise<void> {
  const { tenantId, id: eventId, type: eventType } = event;
  const what = { tenantId, endpointId: endpoint.id, eventId, eventType };
  const nowMs = world.clock.nowMs();
  const before = newDelivery(what, nowMs);
  try {
    await saveStep(world, { before, after: wait(before, slot, nowMs) });
  } catch (error) {
    failed.add(eventId);
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
    for (const index of refused) failed.add(pairs[index]?.event.id ?? '');
  } catch (error) {
    for (const { event } of pairs) failed.add(event.id);
    log.warn('relay.send-failed', { messages: messages.length, error });
  }
}

/** An event whose mark fails is relayed again, which is harmless. */
async function mark(
  event: OutboxEvent,
  sentTo: readonly string[],
  { clock, db, log }: RelayNeeds,
): Promise<boolean> {
  try {
    const commit = await db.commit([markRelayed(event, sentTo, clock.nowMs())]);
    return commit.ok;
  } catch (error) {
    log.warn('relay.mark-failed', { eventId: event.id, error });
    return false;
  }
}
