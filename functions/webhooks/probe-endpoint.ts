import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import type { Write } from '../shared/world.ts';
import { EARLY_MS } from './arrival.ts';
import type { Delivery } from './delivery.ts';
import { MESSAGE_AHEAD_MS_MAX } from './delivery-message.ts';
import { disableEndpoint } from './disable-endpoint.ts';
import { findWanted } from './find-wanted.ts';
import { findHealth, planProbe, probeMessage } from './health.store.ts';
import { type Health, isOpen, nextProbe, troubleOf } from './health.ts';
import { releaseAt } from './release.ts';
import type { ReleaseNeeds } from './release-deliveries.ts';
import type { KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { sendNext } from './settle-delivery.ts';
import { takeSlotAhead } from './take-slot-ahead.ts';
import { tellQueue } from './tell-queue.ts';

/** The endpoint of an open breaker. */
interface Broken {
  readonly tenantId: string;
  readonly id: `end_${string}`;
}

/**
 * Sends one held delivery through an open breaker when that is due, another one each time, the
 * oldest first: its failure is an attempt like any other, its success closes the breaker. Only one
 * worker plans a probe, and the next one is planned before it goes out.
 */
export async function probeEndpoint(broken: Broken, world: ReleaseNeeds): Promise<void> {
  const { clock, db, endpoints } = world;
  const health = await findHealth(db, broken);
  const aheadMs = (health.probeAtMs ?? Infinity) - clock.nowMs();
  if (!isOpen(health) || aheadMs > EARLY_MS) return;
  if (aheadMs > 0) await clock.sleep(aheadMs);

  endpoints.forget(broken.tenantId, broken.id);
  const known = await endpoints.find(broken.tenantId, broken.id);
  if (known?.endpoint.status !== 'active') return stopProbing(broken, health, world);
  const nowMs = clock.nowMs();
  const trouble = troubleOf(health);
  if (trouble.kind === 'give_up') {
    // It may have been opened before its endpoint was read.
    if (!isOpen(await findHealth(db, broken))) return;
    // One that was changed just now is open still: its probe stays due, and the next look decides.
    if (!(await disableEndpoint(known.endpoint, 'failing', world))) return;
    return stopProbing(broken, health, world);
  }
  const { blockedUntilMs = 0 } = known.pace;
  const isBlocked = blockedUntilMs > nowMs;
  const row = isBlocked ? undefined : await nextHeld(known, health, world);
  // While the receiver wants to be left alone nothing goes out: what did would come all at once.
  const next = isBlocked ? { ...health, probeAtMs: blockedUntilMs } : nextProbe(health, row, nowMs);
  const { probeAtMs = 0 } = next;
  const saidDays = trouble.kind === 'tell' ? trouble.days : health.saidDays;
  const probedThrough = row?.eventId;
  const plan = planProbe(broken, health, { ...next, probedThrough, saidDays, nowMs });
  const told = trouble.kind === 'tell' ? [failingEvent(known, trouble.days, world)] : [];
  // What is being held looks at the same record.
  const planned = await commitDespiteConflicts(world, [plan, ...told]);
  if (!planned.ok) return;
  if (probeAtMs - nowMs <= MESSAGE_AHEAD_MS_MAX) {
    await tellQueue('endpoint-care', probeMessage(broken, probeAtMs), world);
  }
  if (row) await sendProbe(known, row, world);
}

/** A closed endpoint gets no probes: opening it forgets the breaker. */
async function stopProbing(broken: Broken, health: Health, world: ReleaseNeeds): Promise<void> {
  const none = { probeAtMs: undefined, probedThrough: undefined, nowMs: world.clock.nowMs() };
  await world.db.commit([planProbe(broken, health, { ...health, ...none })]);
}

/** Behind the one that was probed last, or from the first on again. */
async function nextHeld(
  known: KnownEndpoint,
  { probedThrough }: Health,
  world: ReleaseNeeds,
): Promise<Delivery | undefined> {
  const { tenantId, id: endpointId } = known.endpoint;
  const wants = { statuses: ['held' as const] };
  const find = async (cursor?: string) => {
    const release = { tenantId, endpointId, wants, cursor };
    // What the index shows may be sent by now: one of some is surely held.
    return (await findWanted(release, known, { count: LOOKED_AT, world })).rows[0];
  };
  return (probedThrough && (await find(probedThrough))) || find();
}

const LOOKED_AT = 25;

/** Like everything that is sent it has a slot, but it waits for no backlog. */
async function sendProbe(
  { endpoint }: KnownEndpoint,
  before: Delivery,
  world: ReleaseNeeds,
): Promise<void> {
  const slot = await takeSlotAhead(world, endpoint);
  const released = releaseAt(before, slot, world.clock.nowMs());
  const after: Delivery = { ...released, urgent: true, missed: undefined };
  const saved = await saveStep(world, { before, after });
  if (saved.won) await sendNext(saved.delivery, world);
}

function failingEvent(
  { endpoint, health }: KnownEndpoint,
  days: number,
  { clock, ids }: ReleaseNeeds,
): Write {
  const facts = { endpointId: endpoint.id, days, failureStreak: health.streak };
  return insertEvent({
    id: ids.next('evt'),
    tenantId: endpoint.tenantId,
    type: 'endpoint.failing',
    occurredAtMs: clock.nowMs(),
    data: JSON.stringify(facts),
  });
}
