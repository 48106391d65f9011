import { deriveId } from '../shared/ids/derive.ts';
import { deriveIdAt } from '../shared/ids/ulid.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Attempt } from '../webhooks/attempt.ts';
import { blockEndpoint } from '../webhooks/block-endpoint.ts';
import {
  afterFirstAttempt,
  type Delivery,
  type NewDelivery,
  newDelivery,
} from '../webhooks/delivery.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { saveStep } from '../webhooks/save-delivery.ts';
import { sendWebhook } from '../webhooks/send-webhook.ts';
import { exhaustedEvent, logAttempt, sendNext, tellOrigin } from '../webhooks/settle-delivery.ts';
import type { AlertFile } from './file.ts';
import { readingMs } from './file-looks.ts';
import type { BlockUser } from './read-block-users.ts';

type Needs = Pick<World, 'clock' | 'db' | 'http' | 'ids' | 'log' | 'meters' | 'queues' | 'secrets'>;

/** One user's turn. */
export interface Alert {
  readonly file: AlertFile;
  readonly endpoint: Endpoint;
  readonly block: number;
  readonly place: number;
  readonly user: BlockUser;
  readonly slotMs: number;
  /** A worker that died may have sent it already. */
  readonly isRepeat: boolean;
  /** Until when this worker has the block. */
  readonly leaseMs: number;
}

/**
 * `unsent`: as if nothing had been tried; the block should rest until `restUntilMs`. `unclear`:
 * it may have been received, and a repeat has to say so.
 */
export type AlertEnd =
  | { readonly kind: 'delivered' | 'retried' | 'uncertain'; readonly attempt: Attempt }
  | { readonly kind: 'unclear' }
  | { readonly kind: 'unsent'; readonly restUntilMs: number };

/** After a fault of our own. */
const REST_MS = 30 * SECOND_MS;

/**
 * The same for one user of a file, however often it is sent; sorted among events as the file is.
 * Those of files that an earlier release has taken in tell no time.
 */
export function alertEventId(
  { tenantId, id, alertsAtMs }: Pick<AlertFile, 'tenantId' | 'id' | 'alertsAtMs'>,
  userId: string,
): `evt_${string}` {
  if (alertsAtMs === undefined) return deriveId('evt', tenantId, id, userId);
  return deriveIdAt('evt', alertsAtMs, tenantId, id, userId);
}

/**
 * Alerts one user at the slot. A failed attempt becomes a delivery of its own, with the retries
 * of every delivery, before the block hears of it. Never throws: a fault of our own is logged.
 */
export async function sendAlert(alert: Alert, world: Needs): Promise<AlertEnd> {
  const { clock, log } = world;
  const waitMs = alert.slotMs - clock.nowMs();
  if (waitMs > 0) await clock.sleep(waitMs);
  const startedAtMs = clock.nowMs();
  const names = { file: alert.file.id, block: alert.block, place: alert.place };
  const attempt = await send(alert, world).catch((error: unknown) => {
    log.error('file.alert-unsent', { ...names, error });
  });
  if (!attempt || attempt.outcome === 'abandoned') {
    return { kind: 'unsent', restUntilMs: startedAtMs + REST_MS };
  }
  return judgeAttempt(alert, { attempt, startedAtMs }, world).catch((error: unknown) => {
    log.error('file.alert-unrecorded', { ...names, error });
    return { kind: 'unclear' };
  });
}

/** A fault of our own throws before anything goes out. */
function send({ file, endpoint, user, isRepeat, leaseMs }: Alert, world: Needs): Promise<Attempt> {
  return sendWebhook(world, endpoint, {
    eventId: alertEventId(file, user.userId),
    type: file.eventType,
    timestampMs: file.readyAtMs ?? file.createdAtMs,
    dataJson: user.dataJson,
    attempt: isRepeat ? 2 : 1,
    possibleDuplicate: isRepeat,
    onUnknown: file.onUnknown,
    traceparent: file.traceparent,
    hops: file.hops,
    // A process that was frozen since its claim may not have the block any more.
    stillWanted: () => world.clock.nowMs() < leaseMs,
  });
}

interface Tried {
  readonly attempt: Attempt;
  readonly startedAtMs: number;
}

async function judgeAttempt(alert: Alert, tried: Tried, world: Needs): Promise<AlertEnd> {
  const { attempt } = tried;
  if (attempt.outcome === 'delivered') {
    world.meters.count('tallyhook_deliveries_total', { status: 'delivered' });
    return { kind: 'delivered', attempt };
  }
  if (attempt.throttled) {
    const restUntilMs = await blockEndpoint(world, alert.endpoint, attempt);
    return { kind: 'unsent', restUntilMs };
  }
  if (attempt.outcome === 'unknown' && alert.file.onUnknown === 'stop') {
    world.meters.count('tallyhook_deliveries_total', { status: 'uncertain' });
    return { kind: 'uncertain', attempt };
  }
  await recordDelivery(alert, tried, world);
  return { kind: 'retried', attempt };
}

/**
 * The delivery of one user's alert, before there is any record of it. What it sends is kept for 32
 * days from the reading of its file: so it counts from there, as if it had been made then.
 */
export function deliveryOf(
  file: AlertFile,
  { block, place, user }: Pick<Alert, 'block' | 'place' | 'user'>,
  nowMs: number,
): Delivery {
  const what: NewDelivery = {
    tenantId: file.tenantId,
    endpointId: file.endpointId,
    eventId: alertEventId(file, user.userId),
    eventType: file.eventType,
    alert: {
      origin: { fileId: file.id, block, index: place },
      bodyRef: user.bodyRef,
      timestampMs: file.readyAtMs ?? file.createdAtMs,
      onUnknown: file.onUnknown,
      traceparent: file.traceparent,
      hops: file.hops,
    },
  };
  return newDelivery(what, Math.min(nowMs, readingMs(file) ?? nowMs));
}

/** Where there is a record already, a worker that died has made it, and it goes its way. */
async function recordDelivery(
  { file, endpoint, block, place, user, isRepeat }: Alert,
  { attempt, startedAtMs }: Tried,
  world: Needs,
): Promise<void> {
  const before = deliveryOf(file, { block, place, user }, startedAtMs);
  const after = afterFirstAttempt(before, attempt, {
    endpoint,
    nowMs: world.clock.nowMs(),
    random: world.ids.random(),
    startedAtMs,
    isRepeat,
  });
  const { traceparent } = file;
  const also = exhaustedEvent(after, { traceparent }, world);
  const saved = await saveStep(world, { before, after, also });
  if (!saved.won) return;
  logAttempt({ delivery: saved.delivery, attempt, traceparent }, saved.delivery.status, world);
  await Promise.all([sendNext(saved.delivery, world), tellOrigin(saved.delivery, world)]);
}
