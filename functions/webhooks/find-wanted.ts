import { findEvents } from '../events/event.store.ts';
import { fitsFilter, type RelayedEvent } from '../events/event.ts';
import type { World } from '../shared/world.ts';
import { findDeliveries } from './delivery.store.ts';
import { type Delivery, lateDelivery } from './delivery.ts';
import { type Care, findCares } from './delivery-care.store.ts';
import type { DeliveryName } from './delivery-name.ts';
import { wants } from './endpoint.ts';
import { addressOf } from './event-address.ts';
import { isWanted, type Release } from './release.ts';
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

type Searching = Pick<Release, 'tenantId' | 'endpointId' | 'wants' | 'paceVersion' | 'cursor'>;

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
  const { eventIds, isEnd } = await listReleasePage(world.db, release, count);
  const names = eventIds.map((eventId) => ({ tenantId, endpointId, eventId }));
  const cares = await findCares(world, names);
  const rows = cares.flatMap((it) => it.delivery ?? []);
  const isUnknown = (it: Care | undefined) => it?.care === 'lost' && !it.delivery;
  const unknown = eventIds.filter((_, index) => isUnknown(cares[index]));
  const missing =
    known && wanted.statuses.includes('missing')
      ? await findMissing(release, unknown, { known, world })
      : [];
  const all = [...rows.filter((it) => isWanted(it, release)), ...missing];
  all.sort((a, b) => (a.eventId < b.eventId ? -1 : 1));
  return { rows: all, cursor: eventIds.at(-1) ?? release.cursor, isEnd };
}

/** So many events are looked at together at most, and in one go before the next step. */
const TOGETHER_MAX = 500;
const PASSED_MAX = 2_000;

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
  for (let passed = 0; found.length < count && passed < PASSED_MAX && !isEnd; passed += size) {
    const page = await findWanted({ ...release, cursor }, known, { count: size, world });
    found.push(...page.rows);
    ({ cursor, isEnd } = page);
    size = Math.min(TOGETHER_MAX, 2 * size);
  }
  if (found.length <= count) return { rows: found, cursor, isEnd };
  const rows = found.slice(0, count);
  return { rows, cursor: rows.at(-1)?.eventId, isEnd: false };
}

/** What a planned step of a replay has counted and not sent yet. */
export async function findPlanned(
  release: Searching & Pick<Release, 'planned'>,
  known: Pick<KnownEndpoint, 'endpoint'>,
  world: Pick<World, 'clock' | 'db' | 'log'>,
): Promise<Delivery[]> {
  const { after: cursor, through = '' } = release.planned ?? {};
  const rows: Delivery[] = [];
  let page: WantedPage = { rows, cursor, isEnd: false };
  while (!page.isEnd && (page.cursor ?? '') < through) {
    const next = { ...release, cursor: page.cursor };
    page = await findWanted(next, known, { count: TOGETHER_MAX, world });
    rows.push(...page.rows.filter((it) => it.eventId <= through));
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
    page = await listReleasePage(db, { ...release, cursor }, TOGETHER_MAX);
    cursor = page.eventIds.at(-1) ?? through;
    const eventIds = page.eventIds.filter((it) => it <= through);
    const events = await findEvents(db, tenantId, eventIds);
    const unnamed = events.filter((it) => it.relayedAtMs && !it.sentTo?.includes(endpointId));
    const these = unnamed.map(({ id: eventId }) => ({ tenantId, endpointId, eventId }));
    const found = await findDeliveries(db, these);
    names.push(...these.filter((_, index) => found[index]));
  }
  return names;
}

interface Looking {
  readonly known: Pick<KnownEndpoint, 'endpoint'>;
  readonly world: Pick<World, 'clock' | 'db'>;
}

/** Those that the relay has passed, that the endpoint wants as it is now, and not the oldest. */
async function findMissing(
  { tenantId, endpointId, wants: wanted }: Pick<Release, 'tenantId' | 'endpointId' | 'wants'>,
  eventIds: readonly string[],
  { known, world }: Looking,
): Promise<Delivery[]> {
  const events = await findEvents(world.db, tenantId, eventIds);
  const isMissing = (event: RelayedEvent) =>
    event.relayedAtMs !== undefined &&
    !event.sentTo?.includes(endpointId) &&
    (wanted.eventTypes?.some((it) => fitsFilter(it, event.type)) ?? true) &&
    wants({ ...known.endpoint, status: 'active' }, addressOf(event));
  const nowMs = world.clock.nowMs();
  const missing = events.filter(isMissing).map(({ id: eventId, type: eventType }) => {
    return lateDelivery({ tenantId, endpointId, eventId, eventType }, nowMs);
  });
  return missing.filter((it) => !isInLastDay(it, nowMs));
}
