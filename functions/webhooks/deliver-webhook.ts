import * as z from 'zod';
import type { Receipt } from '../shared/aws/batch.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Message, World } from '../shared/world.ts';
import { EARLY_MS, judgeArrival } from './arrival.ts';
import { chooseSlot, confirmBlock, urgentSlot } from './choose-slot.ts';
import { findDelivery, nameOfKey } from './delivery.store.ts';
import { claim, type Delivery, LAPSED, newDelivery, unclaim } from './delivery.ts';
import type { Payload } from './delivery-message.ts';
import { type DeliveryName, deliveryId } from './delivery-name.ts';
import { type Door, doorOf } from './door.ts';
import { checkStatus } from './endpoint.store.ts';
import { checkOpen } from './health.store.ts';
import { markSilence } from './mark-health.ts';
import type { Slot } from './pace.ts';
import { readPayload } from './read-payload.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { type Saved, saveStep } from './save-delivery.ts';
import { sendWebhook } from './send-webhook.ts';
import { sendNext, settleDelivery, tellOrigin } from './settle-delivery.ts';
import { takeProbe } from './take-probe.ts';
import { cancel, expire, hold, outlive, slotOf, wait } from './waiting.ts';

/** Asks for one attempt. Unknown fields are a later release's. */
const AttemptOrder = z.object({
  tenant: z.string(),
  endpoint: z.string(),
  event: z.string(),
  seq: z.int(),
  slot: z.number().optional(),
  pv: z.number().optional(),
  lane: z.literal('fast').optional(),
  body: z
    .object({
      type: z.string(),
      timestampMs: z.number(),
      data: z.string(),
      traceparent: z.string().optional(),
      hops: z.number().optional(),
    })
    .optional(),
});

/** The sweeper's form: the key of a record that is due. */
const DueOrder = z.object({ pk: z.string(), sk: z.string(), dueMs: z.number() });

/** Every message of the delivery queues. */
export const DeliveryOrder = z.union([AttemptOrder, DueOrder]);

type Needs = Pick<
  World,
  'bucket' | 'clock' | 'db' | 'http' | 'ids' | 'log' | 'queues' | 'secrets'
> & { readonly endpoints: EndpointMemory };

/** A message, understood. */
interface Work {
  readonly order: z.output<typeof DeliveryOrder>;
  readonly name: DeliveryName;
  readonly seq?: number;
  readonly slot?: Slot | undefined;
  readonly payload?: Payload;
  /** When Lambda kills this worker. */
  readonly deadlineMs: number;
}

/** A delivery that may be claimed, with all that its attempt needs. */
interface Ready {
  readonly work: Work;
  readonly delivery: Delivery;
  readonly known: KnownEndpoint;
  readonly payload: Payload;
}

/** How long after its own end a worker may still hold a claim. */
const LEASE_SLACK_MS = 5 * SECOND_MS;

/**
 * The work of one message, safe to repeat and to run beside others: at most one worker claims an
 * attempt. The first attempt of a delivery costs no read and two writes.
 */
export async function deliverWebhook(
  order: z.output<typeof DeliveryOrder>,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const work = toWork(order, deadlineMs);
  const isFirst = work.seq === 1 && work.payload !== undefined;
  const row = isFirst ? undefined : await findDelivery(world.db, work.name);
  if (!row && work.seq !== 1) return skip(work, 'gone', world);
  await advance(work, row, world);
}

function toWork(order: z.output<typeof DeliveryOrder>, deadlineMs: number): Work {
  if ('pk' in order) return { order, name: nameOfKey(order), deadlineMs };
  const name = { tenantId: order.tenant, endpointId: order.endpoint, eventId: order.event };
  const { seq, slot: atMs, pv: version = 0, body } = order;
  const slot = atMs === undefined ? undefined : { atMs, version };
  if (!body) return { order, name, seq, slot, deadlineMs };
  const { data: dataJson, ...rest } = body;
  return { order, name, seq, slot, deadlineMs, payload: { ...rest, dataJson } };
}

/** Does what the record asks for; without a record it is the first attempt. */
async function advance(work: Work, row: Delivery | undefined, world: Needs): Promise<void> {
  const arrival = row ? judgeArrival(row, work.seq, world.clock.nowMs()) : 'claim';
  if (row && arrival === 'echo') return sendNext(row, world);
  if (row && arrival === 'expired') return change(row, expire(row), world);
  if (arrival !== 'claim' && arrival !== 'lapsed') return skip(work, arrival, world);

  const { tenantId, endpointId } = work.name;
  const known = await world.endpoints.find(tenantId, endpointId);
  if (row && known && arrival === 'lapsed') {
    return settleDelivery({ delivery: row, known, attempt: LAPSED }, world);
  }
  if (known?.endpoint.slow && isInFastLane(work)) return changeLane(work, world);
  const payload = work.payload ?? (await readPayload(world, work.name, row));
  if (!payload) return row ? change(row, outlive(row), world) : skip(work, 'gone', world);
  const what = { ...work.name, eventType: payload.type };
  const delivery = row ?? newDelivery(what, world.clock.nowMs());
  if (!known) return change(delivery, cancel(delivery), world);
  const ready = { work, delivery, known, payload };
  const door = doorOf(known);
  if (door === 'open') return sendAtSlot(ready, world);
  const probe = door === 'breaker_open' && (await asProbe(ready, world));
  return probe ? sendAtSlot({ ...ready, delivery: probe }, world) : holdBack(ready, door, world);
}

/** What passes an open breaker: a probe, or what a person wants to be sent now. */
async function asProbe({ delivery, known }: Ready, world: Needs): Promise<Delivery | undefined> {
  return delivery.urgent ? delivery : takeProbe(known, delivery, world);
}

function isInFastLane({ order }: Work): boolean {
  return 'lane' in order && order.lane === 'fast';
}

/** Leaves the fast lane to others: this receiver lets everybody wait until the time is up. */
async function changeLane({ order, name, slot }: Work, { queues }: Needs): Promise<void> {
  const body = { v: 1, ...order, lane: undefined };
  const message = { body, group: name.endpointId, ...(slot && { atMs: slot.atMs }) };
  const refused = await queues.send('delivery-slow', [message]);
  if (refused.length > 0) throw new Problem('unavailable');
}

/** Changes a delivery without an outcome. Whoever was quicker decides instead. */
async function change(before: Delivery, after: Delivery, world: Needs): Promise<void> {
  const saved = await saveStep(world, { before, after });
  const decision = saved.won ? after.status : 'overtaken';
  world.log.info('delivery.changed', { decision, deliveryId: deliveryId(after) });
  if (saved.won) await tellOrigin(saved.delivery, world);
}

/** Held only while the endpoint is still closed, so that nothing is held behind a release. */
async function holdBack(ready: Ready, door: Exclude<Door, 'open'>, world: Needs): Promise<void> {
  const { work, delivery, known } = ready;
  const { endpoint, health } = known;
  const isClosed = door === 'breaker_open' ? checkOpen(endpoint, health) : checkStatus(endpoint);
  const after = hold(delivery, door);
  const saved = await saveStep(world, { before: delivery, after, also: [isClosed] });
  if (saved.won) return skip(work, 'held', world);
  if (saved.found) return lost(ready, saved, world);
  // The door has opened.
  world.endpoints.forget(endpoint.tenantId, endpoint.id);
  const body = { v: 1, ...work.order };
  const again: Message = { body, atMs: world.clock.nowMs() + SECOND_MS, group: endpoint.id };
  await world.queues.send('delivery-slow', [again]);
}

/** Waits for a slot that is near; one that is further away is written down and waits itself. */
async function sendAtSlot(ready: Ready, world: Needs): Promise<void> {
  const { work, delivery } = ready;
  // A queue delays by whole seconds, rounded down, so that a retry may come before its time.
  await sleepUntil(delivery.dueMs, world);
  const known = await confirmBlock(ready.known, world);
  const slot = delivery.urgent
    ? urgentSlot(known, world.clock.nowMs())
    : await chooseSlot(known, slotOf(delivery) ?? work.slot, world);
  const nowMs = world.clock.nowMs();
  if (slot.atMs > nowMs + EARLY_MS) {
    const after = wait(delivery, slot, nowMs);
    const saved = await saveStep(world, { before: delivery, after });
    if (!saved.won) return lost(ready, saved, world);
    await tellOrigin(saved.delivery, world);
    return sendNext(saved.delivery, world);
  }
  await sleepUntil(slot.atMs, world);
  return sendNow(ready, world);
}

/** For two seconds at most: what is further away was not claimed, or is written down. */
async function sleepUntil(ms: number | undefined, { clock }: Needs): Promise<void> {
  const aheadMs = (ms ?? 0) - clock.nowMs();
  if (aheadMs > 0) await clock.sleep(Math.min(aheadMs, EARLY_MS));
}

async function sendNow(ready: Ready, world: Needs): Promise<void> {
  const { work, delivery, known, payload } = ready;
  const { endpoint } = known;
  const leaseMs = work.deadlineMs + LEASE_SLACK_MS;
  const after = claim(delivery, leaseMs, world.clock.nowMs());
  const saved = await saveStep(world, { before: delivery, after });
  if (!saved.won) return lost(ready, saved, world);

  const claimed = saved.delivery;
  let marked: Promise<void> | undefined;
  const onSilence = () => {
    marked = markSilence(known, world);
  };
  const giveBack = () => change(claimed, unclaim(claimed, world.clock.nowMs()), world);
  const attempt = await sendWebhook(world, endpoint, {
    ...payload,
    eventId: claimed.eventId,
    attempt: claimed.seq,
    possibleDuplicate: claimed.unsure,
    onUnknown: claimed.alert?.onUnknown,
    // A process that was frozen since its claim may not be the owner any more.
    stillWanted: () => world.clock.nowMs() < leaseMs,
    ...(isInFastLane(work) && { onSilence }),
  }).catch(async (error) => {
    // A fault of our own, before anything went out.
    await giveBack();
    throw error;
  });
  if (attempt.outcome === 'abandoned') return giveBack();
  await Promise.all([marked, settleDelivery({ delivery: claimed, known, attempt }, world)]);
}

/** Somebody else has it. Where there was no record before, that one tells what to do now. */
async function lost({ work, delivery }: Ready, saved: Saved, world: Needs): Promise<void> {
  const isFirst = delivery.token === '';
  if (isFirst && !saved.won && saved.found) return advance(work, saved.found, world);
  skip(work, 'overtaken', world);
}

function skip({ name, seq }: Work, decision: string, { log }: Needs): void {
  log.info('delivery.skipped', { decision, deliveryId: deliveryId(name), attempt: seq });
}
