import { eventKey, toEvent } from '../../functions/events/event.store.ts';
import type { RelayedEvent } from '../../functions/events/event.ts';
import type { Item } from '../../functions/shared/world.ts';
import { deliveryKey, toDelivery } from '../../functions/webhooks/delivery.store.ts';
import type { Delivery } from '../../functions/webhooks/delivery.ts';
import { checkDeliveries, isRow } from '../support/invariants/deliveries.ts';
import { COPY, KINDS, type Receivers, TWICE } from './webhook-receivers.ts';
import type { Tables } from './webhook-tables.ts';
import type { SoakTenant } from './webhook-tenants.ts';

/** What was done, as whoever did it knows. */
export interface Deeds {
  readonly receivers: Pick<Receivers, 'logs'>;
  readonly tenants: readonly Pick<SoakTenant, 'tenantId' | 'endpoints'>[];
  /** The kind of each event, by its number. */
  readonly kinds: readonly string[];
  /** How many workers were killed. */
  readonly killed: number;
}

export interface Audit {
  /** The first of them, and how many more there are. */
  readonly violations: readonly string[];
  readonly deliveries: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

/** A worker has at most one batch in its hands. */
const IN_HAND_MAX = 10;
/** Where all is wrong the first ones tell it. */
const KEPT_MAX = 1_000;

/**
 * O2, O3 and D1; each event has a delivery for each endpoint that wants it, and no other; each has
 * come to an end that its receiver allows, and both sides say the same of it; nobody was missed;
 * and what the receivers have to say against the copies on the wire. Reads the events with their
 * deliveries, and then the deliveries with their events, in pages: what it needs of memory does
 * not grow with the tables.
 */
export async function auditWebhooks(deeds: Deeds, tables: Tables): Promise<Audit> {
  const violations: string[] = [];
  let more = 0;
  const blame = (sentences: readonly string[]) => {
    const kept = sentences.slice(0, KEPT_MAX - violations.length);
    violations.push(...kept);
    more += sentences.length - kept.length;
  };
  const seen = new Uint8Array(deeds.kinds.length);
  for await (const page of tables.pages('outbox')) {
    blame(await checkEvents(deeds, { page, seen, tables }));
  }
  const lost = deeds.kinds.flatMap((_, n) => (seen[n] ? [] : [`the event ${n} is not there`]));
  blame(lost);

  const byStatus: Record<string, number> = {};
  for await (const page of tables.pages('deliveries')) {
    const rows = page.filter(isRow).map(toDelivery);
    for (const { status } of rows) byStatus[status] = (byStatus[status] ?? 0) + 1;
    blame(await checkWanted(deeds, rows, tables));
  }
  blame(checkWire(deeds));
  const deliveries = Object.values(byStatus).reduce((sum, it) => sum + it, 0);
  if (more > 0) violations.push(`and ${more} more`);
  return { violations, deliveries, byStatus };
}

interface EventPage {
  readonly page: readonly Item[];
  /** 1 for each number whose event was met. */
  readonly seen: Uint8Array;
  readonly tables: Tables;
}

async function checkEvents(deeds: Deeds, { page, seen, tables }: EventPage): Promise<string[]> {
  const events = page.filter(({ id }) => String(id).startsWith('evt_')).map(toEvent);
  const names = events.flatMap((event) =>
    [...new Set([...(event.sentTo ?? []), ...wantedOf(deeds, event)])].map((endpointId) => ({
      ...{ tenantId: event.tenantId, endpointId, eventId: event.id },
    })),
  );
  const items = await tables.find('deliveries', names.map(deliveryKey));
  const rows = new Map(items.map(toDelivery).map((it) => [nameOf(it), it]));
  return [
    ...checkDeliveries({ outbox: page, deliveries: items }),
    ...events.filter(isOurs).flatMap((event) => {
      const n = numberOf(event);
      const kind = deeds.kinds[n] ?? '';
      const isSent = event.type === `soak.${kind}` && endpointsOf(deeds, event)?.has(kind);
      if (!isSent) return [`nobody sent ${event.id} of ${event.tenantId} as ${event.type} ${n}`];
      if (seen[n]) return [`the event ${n} is there twice, also as ${event.id}`];
      seen[n] = 1;
      return receiversOf(kind).flatMap((to) => {
        const endpointId = endpointsOf(deeds, event)?.get(to) ?? '';
        const row = rows.get(nameOf({ eventId: event.id, endpointId }));
        return checkOutcome(to, { n, event, row, deeds });
      });
    }),
  ];
}

const isOurs = ({ type }: RelayedEvent) => type.startsWith('soak.');

function numberOf({ data }: RelayedEvent): number {
  return (JSON.parse(data) as { n: number }).n;
}

const nameOf = ({ eventId, endpointId }: Pick<Delivery, 'eventId' | 'endpointId'>) =>
  `${eventId} → ${endpointId}`;

/** The endpoints that are to get the event: only its own tenant's. */
function wantedOf(deeds: Deeds, event: RelayedEvent): string[] {
  const endpoints = endpointsOf(deeds, event);
  return receiversOf(event.type.slice('soak.'.length)).flatMap((it) => endpoints?.get(it) ?? []);
}

function endpointsOf({ tenants }: Deeds, { tenantId }: RelayedEvent) {
  return tenants.find((it) => it.tenantId === tenantId)?.endpoints;
}

const receiversOf = (kind: string) => (TWICE.includes(kind) ? [kind, COPY] : [kind]);

/** Each delivery has an event, which was sent to its endpoint, and is of a type that it wants. */
async function checkWanted(
  deeds: Deeds,
  rows: readonly Delivery[],
  tables: Tables,
): Promise<string[]> {
  // None is asked for twice.
  const events = new Map(rows.map((it) => [`${it.tenantId}#${it.eventId}`, it]));
  const items = await tables.find(
    'outbox',
    [...events.values()].map((it) => eventKey(it.tenantId, it.eventId)),
  );
  const wanted = new Set(
    items.map(toEvent).flatMap((event) =>
      wantedOf(deeds, event)
        .filter((it) => event.sentTo?.includes(it))
        .map((endpointId) => `${event.tenantId} ${nameOf({ eventId: event.id, endpointId })}`),
    ),
  );
  const unwanted = rows.filter((it) => !wanted.has(`${it.tenantId} ${nameOf(it)}`));
  return unwanted.map((it) => `O2 nobody wanted the delivery ${nameOf(it)} of ${it.tenantId}`);
}

interface Outcome {
  readonly n: number;
  readonly event: RelayedEvent;
  readonly row: Delivery | undefined;
  readonly deeds: Deeds;
}

function checkOutcome(to: string, { n, event, row, deeds }: Outcome): string[] {
  const story = deeds.receivers.logs.get(to)?.story(n);
  const blame = (what: string) => [`${to} ${n} ${what}`];
  if (!row) return blame('has no delivery');
  if (story && story.id !== event.id) return blame(`came as ${story.id}, and is ${event.id}`);
  const ends = KINDS[to]?.ends ?? ['delivered'];
  if (!ends.includes(row.status)) return blame(`is ${row.status} (${row.reason})`);
  const accepted = story?.accepted === true;
  if (row.status === 'delivered' && !accepted) return blame('is delivered, but was not received');
  // A worker may have been killed between the answer and its record.
  const mayBe = row.status === 'uncertain' && deeds.killed > 0;
  if (row.status !== 'delivered' && accepted && !mayBe) {
    return blame(`is ${row.status}, but was received`);
  }
  if (!story && !mayBe) return blame('never came');
  if (to === 'stopping' && row.attempts.some(({ possibleDuplicate }) => possibleDuplicate)) {
    return blame('was sent again after an unknown outcome');
  }
  return [];
}

function checkWire({ receivers, killed }: Deeds): string[] {
  const logs = [...receivers.logs.values()];
  const unexplained = logs.reduce((sum, it) => sum + it.unexplained, 0);
  const isTooMany = unexplained > IN_HAND_MAX * killed;
  return [
    ...logs.flatMap((it) => it.violations),
    ...(isTooMany
      ? [`wire: ${unexplained} copies are marked, and ${killed} workers were killed`]
      : []),
  ];
}
