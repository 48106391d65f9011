import { findEvents } from '../events/event.store.ts';
import { fitsFilter, isReservedType, type RelayedEvent } from '../events/event.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findDeliveries } from './delivery.store.ts';
import { type Delivery, lateDelivery } from './delivery.ts';
import { type Care, findCares } from './delivery-care.store.ts';
import type { DeliveryName } from './delivery-name.ts';
import { wants } from './endpoint.ts';
import { addressOf } from './event-address.ts';
import { isWanted, queuedBetween, type Release, type Search } from './release.ts';
import { listReleasePage, type ReleasePage } from './release-page.store.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { isInLastDay } from './waiting.ts';

/** What a release has to send next. */
export interface WantedPage {
  readonly rows: readonly Delivery[];
  /** The last event that was looked at. */
  readonly cursor: string | undefined;
  readonly isEnd: boolean;
}

type Searching = Pick<Release, 'tenantId' | 'endpointId' | 'cursor'> &
  Partial<Pick<Release, 'createdAtMs'>> &
  Search;

/**
 * The next deliveries of a release, the oldest events first, as they are now: also those that
 * never came to be. Looks at `count` events, of which some may not be wanted.
 */
export async function findWanted(
  release: Searching,
  known: Pick<KnownEndpoint, 'endpoint'> | undefined,
  { count, world }: { readonly count: number; readonly world: Pick<World, 'clock' | 'db' | 'log'> },
): Promise<WantedPage> {
  const { tenantId, endpointId, wants: wanted } = release;
  const mayWant = (type: string) => mayBeWanted(type, release, known);
  const page = await listReleasePage(world.db, release, { count, mayWant });
  const { eventIds, cursor, isEnd } = page;
  const names = eventIds.map((eventId) => ({ tenantId, endpointId, eventId }));
  const cares = await findCares(world, names);
  const rows = cares.flatMap((it) => it.delivery ?? []);
  const isUnknown = (it: Care | undefined) => it?.care === 'lost' && !it.delivery;
  const unknown = eventIds.filter((_, index) => isUnknown(cares[index]));
  const isAnyOf = wanted.statuses.some((it) => it === 'missing' || it === 'pending');
  const unmade = isAnyOf ? await findUnmade(release, unknown, { known, world }) : [];
  const all = [...rows.filter((it) => isWanted(it, release)), ...unmade];
  all.sort((a, b) => (a.eventId < b.eventId ? -1 : 1));
  return { rows: all, cursor, isEnd };
}

/**
 * So many events are looked at together at most, and in one go before the next step. Events of
 * 64 KB take long to read: no further ones are after five seconds of the 30 that a worker has.
 */
const TOGETHER_MAX = 500;
const PASSED_MAX = 2_000;
const LOOK_MS = 5 * SECOND_MS;

/**
 * The next `count` deliveries of a release, or fewer at the end and where hardly any is wanted:
 * what is passed over must take no time of what is sent.
 */
export async function findNextWanted(
  release: Searching,
  known: Pick<KnownEndpoint, 'endpoint'>,
  { count, world }: { readonly count: number; readonly world: Pick<World, 'clock' | 'db' | 'log'> },
): Promise<WantedPage> {
  const found: Delivery[] = [];
  let { cursor } = release;
  let isEnd = false;
  let size = count;
  let passed = 0;
  const stopMs = world.clock.nowMs() + LOOK_MS;
  const mayGoOn = () => passed < PASSED_MAX && world.clock.nowMs() < stopMs;
  while (found.length < count && !isEnd && mayGoOn()) {
    passed += size;
    const page = await findWanted({ ...release, cursor }, known, { count: size, world });
    found.push(...page.rows);
    ({ cursor, isEnd } = page);
    size = Math.min(TOGETHER_MAX, 2 * size);
  }
  if (found.length <= count) return { rows: found, cursor, isEnd };
  const rows = found.slice(0, count);
  return { rows, cursor: rows.at(-1)?.eventId, isEnd: false };
}

/**
 * What a planned step of a replay has counted and not sent yet. What was claimed since the replay
 * began was sent by it, and may look again as it did before: delivered, uncertain or exhausted.
 */
export async function findPlanned(
  release: Searching & Pick<Release, 'planned'>,
  known: Pick<KnownEndpoint, 'endpoint'>,
  world: Pick<World, 'clock' | 'db' | 'log'>,
): Promise<Delivery[]> {
  const { planned, createdAtMs = Infinity } = release;
  const { after: cursor, through = '' } = planned ?? {};
  const isLeft = ({ eventId, claimedAtMs = -Infinity }: Delivery) =>
    eventId <= through && claimedAtMs < createdAtMs;
  const rows: Delivery[] = [];
  let page: WantedPage = { rows, cursor, isEnd: false };
  while (!page.isEnd && (page.cursor ?? '') < through) {
    const next = { ...release, cursor: page.cursor };
    page = await findWanted(next, known, { count: TOGETHER_MAX, world });
    rows.push(...page.rows.filter(isLeft));
  }
  return rows;
}

/** Events of such a step that do not name the endpoint, although they have a delivery by now. */
export async function findUnmarked(
  release: Searching & Pick<Release, 'planned'>,
  { db }: Pick<World, 'db'>,
): Promise<DeliveryName[]> {
  const { tenantId, endpointId, wants: wanted } = release;
  if (!wanted.statuses.includes('missing')) return [];
  const { after, through = '' } = release.planned ?? {};
  const names: DeliveryName[] = [];
  let page: ReleasePage = { eventIds: [], isEnd: false };
  let cursor = after;
  while (!page.isEnd && (cursor ?? '') < through) {
    const mayWant = (type: string) => mayBeWanted(type, release, undefined);
    page = await listReleasePage(db, { ...release, cursor }, { count: TOGETHER_MAX, mayWant });
    cursor = page.cursor ?? through;
    const eventIds = page.eventIds.filter((it) => it <= through);
    // Deliveries are small, and few of the events have one.
    const found = await findDeliveries(
      db,
      eventIds.map((eventId) => ({ tenantId, endpointId, eventId })),
    );
    const sent = found.flatMap((it) => it?.eventId ?? []);
    const events = await findEvents(db, tenantId, sent);
    const unnamed = events.filter((it) => it.relayedAtMs && !it.sentTo?.includes(endpointId));
    names.push(...unnamed.map(({ id: eventId }) => ({ tenantId, endpointId, eventId })));
  }
  return names;
}

interface Looking {
  readonly known: Pick<KnownEndpoint, 'endpoint'> | undefined;
  readonly world: Pick<World, 'clock' | 'db'>;
}

/** What has no record and is wanted all the same: not the oldest, whose record would end soon. */
async function findUnmade(
  release: Searching,
  eventIds: readonly string[],
  { known, world }: Looking,
): Promise<Delivery[]> {
  const { tenantId, endpointId, wants: wanted } = release;
  const events = await findEvents(world.db, tenantId, eventIds);
  const isUnmade = (event: RelayedEvent) =>
    (known && wanted.statuses.includes('missing') && isMissing(event, release, known)) ||
    (wanted.statuses.includes('pending') && isQueued(event, release));
  const nowMs = world.clock.nowMs();
  const unmade = events.filter(isUnmade).map(({ id: eventId, type: eventType }) => {
    return lateDelivery({ tenantId, endpointId, eventId, eventType }, nowMs);
  });
  return unmade.filter((it) => !isInLastDay(it, nowMs));
}

/**
 * Whether an event of this type may be wanted that has no delivery. One of a tenant's own types, or
 * an alert, may be addressed to the endpoint, whatever that names.
 */
function mayBeWanted(
  type: string,
  { wants: { eventTypes } }: Searching,
  known: Pick<KnownEndpoint, 'endpoint'> | undefined,
): boolean {
  if (eventTypes && !eventTypes.some((it) => fitsFilter(it, type))) return false;
  if (!known || !isReservedType(type) || type === 'alert') return true;
  return wants({ ...known.endpoint, status: 'active' }, { type });
}

/** Those that the relay has passed, and that the endpoint wants as it is now. */
function isMissing(
  event: RelayedEvent,
  { endpointId, wants: { eventTypes } }: Searching,
  { endpoint }: Pick<KnownEndpoint, 'endpoint'>,
): boolean {
  return (
    event.relayedAtMs !== undefined &&
    !event.sentTo?.includes(endpointId) &&
    (eventTypes?.some((it) => fitsFilter(it, event.type)) ?? true) &&
    wants({ ...endpoint, status: 'active' }, addressOf(event))
  );
}

/** Those that the relay has sent there before it could know of the change. */
function isQueued({ relayedAtMs, sentTo }: RelayedEvent, release: Searching): boolean {
  const { toMs } = queuedBetween(release);
  const isEarlier = relayedAtMs !== undefined && relayedAtMs < toMs;
  return isEarlier && sentTo?.includes(release.endpointId) === true;
}
