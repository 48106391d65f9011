import { markRelayed } from '../events/event.store.ts';
import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { limitOf, rateAt } from './pace.ts';
import { findRelease, releaseKey } from './release.store.ts';
import { type Release, releaseAt, takeUp } from './release.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { sendAllNext, tellOrigin } from './settle-delivery.ts';
import { takeSlots } from './take-slots.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'>;

/** Where deliveries go, for whom, and within which time. */
export interface Sending {
  readonly release: Release;
  readonly known: Pick<KnownEndpoint, 'endpoint' | 'pace'>;
  readonly lastsMs: number;
  readonly world: Needs;
}

/** Deliveries that are written at once. */
const AT_ONCE = 50;

/**
 * Sets deliveries on their way, a slot each. Answers how many are; of the others somebody else has
 * made something. Undefined when the lease of the step ended before the last of them: whoever has
 * the step then does the rest. Or when the replay was cancelled meanwhile.
 */
export async function releaseRows(
  rows: readonly Delivery[],
  sending: Sending,
): Promise<number | undefined> {
  if (rows.length === 0) return 0;
  const { release, known, lastsMs, world } = sending;
  const { endpoint, pace } = known;
  const { slotsMs, version } = await takeSlots(world, endpoint, rows.length);
  const nowMs = world.clock.nowMs();
  // Where there is no limit, and none was learned, the slow start is one.
  const isLimited = rateAt(limitOf(endpoint, pace), pace, nowMs) !== undefined;
  const spacingMs = isLimited ? 0 : lastsMs / rows.length;
  const slotOf = (index: number) => ({
    atMs: Math.floor((slotsMs[index] ?? nowMs) + index * spacingMs),
    version,
  });
  let sent = 0;
  for (let start = 0; start < rows.length; start += AT_ONCE) {
    if (world.clock.nowMs() >= (release.dueMs ?? Infinity)) return undefined;
    if (start > 0 && !(await isRunning(release, world))) return undefined;
    const some = rows.slice(start, start + AT_ONCE);
    const saved = await Promise.all(
      some.map(async (before, index) => {
        const taken = takeUp(before, release);
        const after = releaseAt(taken, slotOf(start + index), nowMs);
        return writeRow(before, after, sending);
      }),
    );
    const written = saved.flatMap((it) => it ?? []);
    await sendAllNext(written, world);
    sent += written.length;
  }
  return sent;
}

/** A tenant may cancel its replay in the midst of a step. */
async function isRunning(release: Release, { db }: Needs): Promise<boolean> {
  if (release.kind !== 'replay') return true;
  return (await findRelease(db, releaseKey(release)))?.status === 'running';
}

/** Undefined when somebody else has made something of it. */
async function writeRow(
  before: Delivery,
  after: Delivery,
  { release, world }: Sending,
): Promise<Delivery | undefined> {
  const step = await saveStep(world, { before, after });
  if (!step.won) return undefined;
  const wasMissing = before.token === '' && release.kind === 'replay';
  if (wasMissing) await markSent(before, world);
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
