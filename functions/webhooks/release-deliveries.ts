import { markRelayed } from '../events/event.store.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Key, World } from '../shared/world.ts';
import { EARLY_MS } from './arrival.ts';
import type { Delivery } from './delivery.ts';
import { doorOf } from './door.ts';
import { findNextWanted, findWanted } from './find-wanted.ts';
import { careMessage, findRelease, saveRelease } from './release.store.ts';
import {
  afterStep,
  finish,
  nextRate,
  type Release,
  ratesOf,
  releaseAt,
  type StepResult,
  stepOf,
} from './release.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { saveStep } from './save-delivery.ts';
import { sendNext, tellOrigin } from './settle-delivery.ts';
import { takeSlots } from './take-slots.ts';
import { tellQueue } from './tell-queue.ts';
import { cancel } from './waiting.ts';

export type ReleaseNeeds = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'> & {
  readonly endpoints: EndpointMemory;
};

/** A worker that died in the midst of a step is followed by another one after this time. */
const LEASE_MS = 60 * SECOND_MS;
/** A replay looks so often whether its endpoint takes webhooks again. */
const CLOSED_MS = 60 * SECOND_MS;
/** Deliveries of a step that are written at once. */
const AT_ONCE = 50;

/**
 * One step of a release, safe to repeat: only one worker has it, and what a dead one had written
 * is not written again. What holds deliveries ends with an endpoint that is closed again, because
 * its next opening begins another release; a replay waits for that.
 */
export async function releaseDeliveries(key: Key, world: ReleaseNeeds): Promise<void> {
  const { clock, db, endpoints } = world;
  const found = await findRelease(db, key);
  const aheadMs = (found?.dueMs ?? 0) - clock.nowMs();
  if (found?.status !== 'running' || aheadMs > EARLY_MS) return;
  if (aheadMs > 0) await clock.sleep(aheadMs);

  const { tenantId, endpointId } = found;
  const release = await save(found, { ...found, dueMs: clock.nowMs() + LEASE_MS }, world);
  if (!release) return;
  endpoints.forget(tenantId, endpointId);
  const known = await endpoints.find(tenantId, endpointId);
  const next = known ? await takeStep(release, known, world) : await cancelStep(release, world);
  const saved = await save(release, next, world);
  if (saved?.dueMs !== undefined) await tellQueue('endpoint-care', careMessage(saved), world);
}

/** Undefined when somebody else has done this step. */
async function save(
  before: Release,
  after: Release,
  { clock, db }: ReleaseNeeds,
): Promise<Release | undefined> {
  const commit = await db.commit([saveRelease(before, after, clock.nowMs())]);
  return commit.ok ? { ...after, step: before.step + 1 } : undefined;
}

async function takeStep(
  release: Release,
  known: KnownEndpoint,
  world: ReleaseNeeds,
): Promise<Release> {
  const nowMs = world.clock.nowMs();
  const { endpoint, pace, health } = known;
  if (doorOf(known) !== 'open') {
    if (release.kind !== 'replay') return finish(release, 'done');
    return { ...release, dueMs: nowMs + CLOSED_MS };
  }
  const rates = ratesOf(endpoint.perSecond, release.share);
  const { blockedUntilMs = 0 } = pace;
  if (blockedUntilMs > nowMs) {
    return { ...release, perSecond: nextRate(release, rates, true), dueMs: blockedUntilMs };
  }
  const isFailing = health.streak > 0;
  // It learns nothing of the receiver as long as it sends nothing.
  const perSecond =
    release.hasMoved || isFailing ? nextRate(release, rates, isFailing) : release.perSecond;
  const { count, lastsMs } = stepOf(perSecond);
  const begun = { ...release, paceVersion: release.paceVersion ?? pace.version };
  const { cursor, isEnd, rows } = await findNextWanted(begun, known, { count, world });
  const sent = await sendAgain(rows, { known, lastsMs, world });
  const result: StepResult = {
    ...{ cursor, isEnd, sent, perSecond },
    matched: rows.length,
    // A page without anything to send takes no time.
    nextMs: nowMs + (rows.length > 0 ? lastsMs : SECOND_MS),
  };
  world.log.info('release.step', { endpointId: endpoint.id, kind: release.kind, ...result });
  return afterStep(begun, result, world.clock.nowMs());
}

interface Sending {
  readonly known: KnownEndpoint;
  readonly lastsMs: number;
  readonly world: ReleaseNeeds;
}

/** Answers how many are on their way. Of the others somebody else has made something. */
async function sendAgain(rows: readonly Delivery[], sending: Sending): Promise<number> {
  if (rows.length === 0) return 0;
  const { known, lastsMs, world } = sending;
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
    const some = rows.slice(start, start + AT_ONCE);
    const saved = await Promise.all(
      some.map(async (before, index) => {
        const after = releaseAt(before, slotOf(start + index), nowMs);
        const step = await saveStep(world, { before, after });
        if (!step.won) return false;
        if (before.token === '') await markSent(before, world);
        await tellOrigin(step.delivery, world);
        await sendNext(step.delivery, world);
        return true;
      }),
    );
    sent += saved.filter((it) => it).length;
  }
  return sent;
}

/** The event names all endpoints that it went to, also those that it missed at first. */
async function markSent(delivery: Delivery, { clock, db }: ReleaseNeeds): Promise<void> {
  const { eventId, tenantId, endpointId } = delivery;
  const event = { id: eventId as `evt_${string}`, tenantId };
  await db.commit([markRelayed(event, [endpointId], clock.nowMs())]);
}

/** What was held behind an endpoint that is deleted is sent to nobody. */
async function cancelStep(release: Release, world: ReleaseNeeds): Promise<Release> {
  if (release.kind === 'replay') return finish(release, 'cancelled');
  const { count } = stepOf(STEPS_OF_CANCEL);
  const { cursor, isEnd, rows } = await findWanted(release, undefined, { count, world });
  await Promise.all(
    rows.map(async (before) => {
      const step = await saveStep(world, { before, after: cancel(before) });
      if (step.won) await tellOrigin(step.delivery, world);
    }),
  );
  const { perSecond } = release;
  const nextMs = world.clock.nowMs() + SECOND_MS;
  const result = { cursor, isEnd, matched: rows.length, sent: rows.length, perSecond, nextMs };
  return afterStep(release, result, world.clock.nowMs());
}

/** Nothing is sent, so that a step may be as large as it gets. */
const STEPS_OF_CANCEL = 100;
