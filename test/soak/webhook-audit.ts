import type { Item } from '../../functions/shared/world.ts';
import { toDelivery } from '../../functions/webhooks/delivery.store.ts';
import type { Delivery } from '../../functions/webhooks/delivery.ts';
import { checkDeliveries } from '../support/invariants/deliveries.ts';
import { COPY, KINDS, type Receivers, TWICE } from './webhook-receivers.ts';

/** What the tables hold of the tenant. */
export interface Rows {
  readonly outbox: readonly Item[];
  readonly deliveries: readonly Item[];
}

/** What was done, as whoever did it knows. */
export interface Deeds {
  readonly receivers: Receivers;
  /** Ids by kind. */
  readonly endpoints: ReadonlyMap<string, string>;
  /** The kind of each event, by its number. */
  readonly kinds: readonly string[];
  /** How many workers were killed. */
  readonly killed: number;
}

/** A worker has at most one batch in its hands. */
const IN_HAND_MAX = 10;

/**
 * O2, O3 and D1; each event has a delivery for each endpoint that wants it, and no other; each has
 * come to an end that its receiver allows, and both sides say the same of it; nobody was missed;
 * and what the receivers have to say against the copies on the wire.
 */
export function auditWebhooks(deeds: Deeds, { outbox, deliveries }: Rows): string[] {
  const { receivers, killed } = deeds;
  const logs = [...receivers.logs.values()];
  const unexplained = logs.reduce((sum, it) => sum + it.unexplained, 0);
  const numbers = new Map(outbox.filter(isOurs).map((it) => [String(it.id), numberOf(it)]));
  const rows = new Map(deliveries.map(toDelivery).map((it) => [nameOf(it, numbers), it]));
  return [
    ...checkDeliveries({ outbox, deliveries }),
    ...(numbers.size === deeds.kinds.length
      ? []
      : [`${deeds.kinds.length} events were taken, ${numbers.size} are there`]),
    ...deeds.kinds.flatMap((kind, n) => checkEvent(deeds, { kind, n, rows })),
    ...[...rows.keys()].map((it) => `O2 nobody wanted the delivery ${it}`),
    ...logs.flatMap((it) => it.violations),
    ...(unexplained <= IN_HAND_MAX * killed
      ? []
      : [`wire: ${unexplained} copies are marked, and ${killed} workers were killed`]),
  ];
}

const isOurs = ({ type }: Item) => String(type).startsWith('soak.');

function numberOf({ data }: Item): number {
  return (JSON.parse(String(data)) as { n: number }).n;
}

const nameOf = ({ eventId, endpointId }: Delivery, numbers: ReadonlyMap<string, number>) =>
  `${numbers.get(eventId)} → ${endpointId}`;

interface Wanted {
  readonly kind: string;
  readonly n: number;
  /** Those that are accounted for are taken out. */
  readonly rows: Map<string, Delivery>;
}

function checkEvent(deeds: Deeds, { kind, n, rows }: Wanted): string[] {
  const wanted = TWICE.includes(kind) ? [kind, COPY] : [kind];
  return wanted.flatMap((to) => {
    const name = `${n} → ${deeds.endpoints.get(to)}`;
    const row = rows.get(name);
    rows.delete(name);
    return checkOutcome(to, { n, row, killed: deeds.killed, receivers: deeds.receivers });
  });
}

interface Outcome {
  readonly n: number;
  readonly row: Delivery | undefined;
  readonly killed: number;
  readonly receivers: Receivers;
}

function checkOutcome(to: string, { n, row, killed, receivers }: Outcome): string[] {
  const story = receivers.logs.get(to)?.story(n);
  const blame = (what: string) => [`${to} ${n} ${what}`];
  if (!row) return blame('has no delivery');
  const ends = KINDS[to]?.ends ?? ['delivered'];
  if (!ends.includes(row.status)) return blame(`is ${row.status} (${row.reason})`);
  const accepted = story?.accepted === true;
  if (row.status === 'delivered' && !accepted) return blame('is delivered, but was not received');
  // A worker may have been killed between the answer and its record.
  const mayBe = row.status === 'uncertain' && killed > 0;
  if (row.status !== 'delivered' && accepted && !mayBe) {
    return blame(`is ${row.status}, but was received`);
  }
  if (!story && !mayBe) return blame('never came');
  if (to === 'stopping' && row.attempts.some(({ possibleDuplicate }) => possibleDuplicate)) {
    return blame('was sent again after an unknown outcome');
  }
  return [];
}
