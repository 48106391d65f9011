import { markRelayed } from '../events/event.store.ts';
import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { type Release, releaseAt, takeUp } from './release.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { sendAllNext, tellOrigin } from './settle-delivery.ts';
import { takeSlots } from './take-slots.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** Where deliveries go, for whom, and within which time. */
export interface Sending {
  readonly release: Release;
  readonly known: Pick<KnownEndpoint, 'endpoint'>;
  readonly lastsMs: number;
  readonly world: Needs;
}

/** Deliveries that are written at once. */
const AT_ONCE = 50;

/**
 * Sets deliveries on their way, a slot each. Answers how many are; of the others somebody else has
 * made something. Undefined when the lease of the step ended before the last of them: whoever has
 * the step then does the rest.
 */
export async function releaseRows(
  rows: readonly Delivery[],
  sending: Sending,
): Promise<number | undefined> {
  if (rows.length === 0) return 0;
  const { release, known, lastsMs, world } = sending;
  const { endpoint } = known;
  const { slotsMs, version } = await takeSlots(world, endpoint, rows.length);
  const nowMs = world.clock.nowMs();
  // Where there is no limit the slow start is one.
  const spacingMs = endpoint.perSecond === undefined ? lastsMs / rows.length : 0;
  const slotOf = (index: number) => ({
    atMs: Math.floor((slotsMs[index] ?? nowMs) + index * spacingMs),
    version,
  });
  let sent = 0;
  for (let start = 0; start < rows.length; start += AT_ONCE) {
    if (world.clock.nowMs() >= (release.dueMs ?? Infinity)) return undefined;
    const some = rows.slice(start, start + AT_ONCE);
    const saved = await Promise.all(
      some.map(async (before, index) => {
        const taken = takeUp(before, release);
        const after = releaseAt(taken, slotOf(start + index), nowMs);
        return writeRow(before, after, world);
      }),
    );
    const written = saved.flatMap((it) => it ?? []);
    await sendAllNext(written, world);
    sent += written.length;
  }
  return sent;
}

/** Undefined when somebody else has made something of it. */
async function writeRow(
  before: Delivery,
  after: Delivery,
  world: Needs,
): Promise<Delivery | undefined> {
  const step = await saveStep(world, { before, after });
  if (!step.won) return undefined;
  if (before.token === '') await markSent(before, world);
  await tellOrigin(step.delivery, world);
  return step.delivery;
}

/** The event names all endpoints that it went to, also those that it missed at first. */
export async function markSent(
  { eventId, tenantId, endpointId }: Pick<Delivery, 'eventId' | 'tenantId' | 'endpointId'>,
  { clock, db }: Pick<World, 'clock' | 'db'>,
): Promise<void> {
  const event = { id: eventId as `evt_${string}`, tenantId };
  await db.commit([markRelayed(event, [endpointId], clock.nowMs())]);
}
