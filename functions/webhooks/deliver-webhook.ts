import type { Receipt } from '../shared/aws/batch.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Message, World } from '../shared/world.ts';
import { EARLY_MS, judgeArrival } from './arrival.ts';
import type { DeliveryOrder } from './attempt-message.ts';
import { changeLane } from './change-lane.ts';
import { type ChosenSlot, chooseSlot, confirmBlock } from './choose-slot.ts';
import { findDelivery, nameOfKey } from './delivery.store.ts';
import { claim, type Delivery, lateDelivery, unclaim } from './delivery.ts';
import type { Payload } from './delivery-message.ts';
import { type DeliveryName, namesOf } from './delivery-name.ts';
import { type Door, doorOf } from './door.ts';
import { checkStatus } from './endpoint.store.ts';
import { checkOpen } from './health.store.ts';
import { markSilence } from './mark-health.ts';
import { isOverrun, limitOf, type Slot } from './pace.ts';
import { readPayload } from './read-payload.ts';
import type { EndpointMemory, KnownEndpoint } from './remember-endpoints.ts';
import { type Saved, saveStep } from './save-delivery.ts';
import { sendWebhook } from './send-webhook.ts';
import { sendNext, settleDelivery, settleLapsed, tellOrigin } from './settle-delivery.ts';
import { takeProbe } from './take-probe.ts';
import { lastTurnMs, takeTurnAgain } from './take-turn-again.ts';
import { cancel, expire, hold, outlive, slotOf, wait } from './waiting.ts';

type Needs = Pick<
  World,
  'bucket' | 'clock' | 'db' | 'http' | 'ids' | 'log' | 'meters' | 'queues' | 'secrets'
> & { readonly endpoints: EndpointMemory };

/** A message, understood. */
interface Work {
  readonly order: DeliveryOrder;
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
  /** That it may be sent in. */
  readonly slot: Slot | undefined;
}

/** How long after its own end a worker may still hold a claim. */
const LEASE_SLACK_MS = 5 * SECOND_MS;

/**
 * The work of one message, safe to repeat and to run beside others: at most one worker claims an
 * attempt. The first attempt of a delivery costs no read and two writes; one read more where its
 * endpoint's limit is another one since it was relayed.
 */
export async function deliverWebhook(
  order: DeliveryOrder,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const work = toWork(order, deadlineMs);
  const isFirst = work.seq === 1 && work.payload !== undefined;
  const row = isFirst ? undefined : await findDelivery(world.db, work.name);
  if (!row && work.seq !== 1) return skip(work, 'gone', world);
  await advance(work, row, world);
}

function toWork(order: DeliveryOrder, deadlineMs: number): Work {
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
  if (row && !known) return change(row, cancel(row), world);
  // One that a worker has left, who died, is to be ended as well.
  const left = known || row ? undefined : await findDelivery(world.db, work.name);
  if (left) return advance(work, left, world);
  if (row && known && arrival === 'lapsed') return settleLapsed({ delivery: row, known }, world);
  if (known?.endpoint.slow && isInFastLane(work)) return changeLane(work.order, work, world);
  const payload = work.payload ?? (await readPayload(world, work.name, row));
  if (!payload) return row ? change(row, outlive(row), world) : skip(work, 'gone', world);
  const what = { ...work.name, eventType: payload.type };
  const delivery = row ?? lateDelivery(what, world.clock.nowMs());
  if (!known) return change(delivery, cancel(delivery), world);
  const ready = { work, delivery, known, payload, slot: slotOf(delivery) ?? work.slot };
  const door = doorOf(known);
  if (door === 'open') return sendAtSlot(ready, world);
  const probe = door === 'breaker_open' && (await asProbe(ready, world));
  return probe ? sendAtSlot(probe, world) : holdBack(ready, door, world);
}

/**
 * What passes an open breaker: a probe, or what a person wants to be sent now. A delivery that has
 * become the probe where it came keeps its slot only if that is not one that others go ahead in.
 */
async function asProbe(ready: Ready, world: Needs): Promise<Ready | undefined> {
  const { work, delivery, known, slot } = ready;
  if (delivery.urgent) return ready;
  // A second copy of a message that was handled would use up the probe for nothing.
  if (known.health.idle && isNew(delivery) && (await findDelivery(world.db, work.name))) return;
  const probe = await takeProbe(known, delivery, world);
  if (!probe) return undefined;
  const isOwn = slot !== undefined && !isOverrun(slot.atMs, known.pace);
  return { ...ready, delivery: probe, slot: isOwn ? slot : undefined };
}

/** Of whom no record was read: if there is one, it is not claimed. */
const isNew = ({ token }: Delivery) => token === '';

const isInFastLane = ({ order }: Work) => 'lane' in order && order.lane === 'fast';

/** Changes a delivery without an outcome. Whoever was quicker decides instead. */
async function change(before: Delivery, after: Delivery, world: Needs): Promise<void> {
  const saved = await saveStep(world, { before, after });
  const decision = saved.won ? after.status : 'overtaken';
  world.log.info('delivery.changed', { decision, ...namesOf(after) });
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
  const refused = await world.queues.send('delivery-slow', [again]);
  if (refused.length > 0) throw new Problem('unavailable');
}

/** Waits for a slot that is near; one that is further away is written down and waits itself. */
async function sendAtSlot(ready: Ready, world: Needs): Promise<void> {
  const { work, delivery, slot: reserved } = ready;
  const later = await takeTurnAgain(delivery, world);
  if (later) return sendLater(ready, later, world);
  // A queue delays by whole seconds, rounded down, so that a retry may come before its time.
  const open = await knownAt(delivery.dueMs, ready, world);
  if (!open) return startAnew(work, world);
  const known = await confirmBlock(open, world);
  const made = hasVoidSlot(ready, known) && (await findDelivery(world.db, work.name));
  if (made) return advance(work, made, world);
  const { urgent, missed } = delivery;
  const slot = await chooseSlot(known, { reserved, urgent, missed }, world);
  const nowMs = world.clock.nowMs();
  if (slot.atMs > nowMs + EARLY_MS) {
    return sendLater(ready, wait({ ...delivery, missed: slot.missed }, slot, nowMs), world);
  }
  const still = await knownAt(slot.atMs, { ...ready, known }, world);
  if (!still || still.pace.version > slot.version) return startAnew(work, world);
  return sendNow({ ...ready, known: still }, slot, world);
}

/** Something has changed while it waited: what that means is decided as if it had just come. */
async function startAnew(work: Work, world: Needs): Promise<void> {
  return advance(work, await findDelivery(world.db, work.name), world);
}

/** It has a slot on record, and a message or the sweeper brings it there. */
async function sendLater(ready: Ready, after: Delivery, world: Needs): Promise<void> {
  const saved = await saveStep(world, { before: ready.delivery, after });
  if (!saved.won) return lost(ready, saved, world);
  await tellOrigin(saved.delivery, world);
  return sendNext(saved.delivery, world);
}

/** Nothing went out: it is looked at soon, and this attempt does not count. */
function giveBack(claimed: Delivery, world: Needs): Promise<void> {
  return change(claimed, unclaim(claimed, world.clock.nowMs()), world);
}

/** The claim has taken so long that its time is over: nothing is sent, and it gets another one. */
async function missSlot(ready: Ready, claimed: Delivery, world: Needs): Promise<void> {
  const after = await slotAgain(ready, claimed, world).catch(async (error) => {
    await giveBack(claimed, world);
    throw error;
  });
  const names = namesOf(ready.work.name);
  world.log.info('delivery.slot-missed', { ...names, missed: after.missed });
  return sendLater({ ...ready, delivery: claimed }, after, world);
}

/** In line behind the others of its file, where that is why it waited; else of its endpoint. */
async function slotAgain(
  { delivery, known }: Ready,
  claimed: Delivery,
  world: Needs,
): Promise<Delivery> {
  const free = unclaim(claimed, world.clock.nowMs());
  const later = await takeTurnAgain(delivery, world);
  if (later) {
    const { dueMs, missed, filePerSecond } = later;
    return { ...free, dueMs, missed, filePerSecond };
  }
  const { urgent, missed = 0 } = delivery;
  const found = { reserved: undefined, urgent, missed: missed + 1 };
  const slot = await chooseSlot(known, found, world);
  return wait({ ...free, missed: slot.missed }, slot, world.clock.nowMs());
}

/**
 * Whether a first attempt has a slot of another limit than the present one: then a release may have
 * made its record and given it another slot by now, and a further one would be taken in vain.
 */
function hasVoidSlot({ work, delivery }: Ready, { endpoint, pace }: KnownEndpoint): boolean {
  const isLimited = limitOf(endpoint, pace) !== undefined;
  return delivery.token === '' && isLimited && (work.slot?.version ?? 0) < pace.version;
}

/**
 * Waits for a time, for two seconds at most: what is further away was not claimed, or is written
 * down. Answers what is known of the endpoint then, and nothing where that was closed meanwhile.
 */
async function knownAt(
  ms: number | undefined,
  { delivery, known }: Ready,
  { clock, endpoints }: Needs,
): Promise<KnownEndpoint | undefined> {
  const aheadMs = (ms ?? 0) - clock.nowMs();
  if (aheadMs <= 0) return known;
  await clock.sleep(Math.min(aheadMs, EARLY_MS));
  const now = await endpoints.find(delivery.tenantId, delivery.endpointId);
  const door = now && doorOf(now);
  const isOpen = door === 'open' || (door === 'breaker_open' && delivery.urgent);
  return isOpen ? now : undefined;
}

async function sendNow(ready: Ready, chosen: ChosenSlot, world: Needs): Promise<void> {
  const { work, delivery, known, payload, slot } = ready;
  const { endpoint } = known;
  const leaseMs = work.deadlineMs + LEASE_SLACK_MS;
  const after = claim(delivery, leaseMs, world.clock.nowMs());
  // What has its slot from a message is not late before that.
  const before = { ...delivery, dueMs: delivery.dueMs ?? slot?.atMs };
  const saved = await saveStep(world, { before, after });
  if (!saved.won) return lost(ready, saved, world);

  const claimed = saved.delivery;
  const lastMs = chosen.lastMs ?? lastTurnMs(delivery) ?? Infinity;
  if (world.clock.nowMs() > lastMs) return missSlot(ready, claimed, world);
  let marked: Promise<void> | undefined;
  const onSilence = () => {
    marked = markSilence(known, world);
  };
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
    await giveBack(claimed, world);
    throw error;
  });
  if (attempt.outcome === 'abandoned') return giveBack(claimed, world);
  const { traceparent, hops } = payload;
  const ending = { delivery: claimed, known, attempt, traceparent, hops };
  await Promise.all([marked, settleDelivery(ending, world)]);
}

/** Somebody else has it. Where there was no record before, that one tells what to do now. */
async function lost({ work, delivery }: Ready, saved: Saved, world: Needs): Promise<void> {
  if (isNew(delivery) && !saved.won && saved.found) return advance(work, saved.found, world);
  skip(work, 'overtaken', world);
}

function skip({ name, seq }: Work, decision: string, { log }: Needs): void {
  log.info('delivery.skipped', { decision, ...namesOf(name), attempt: seq });
}
