import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { findPace } from '../webhooks/pace.store.ts';
import { limitOf, type Pace, rateAt, slotsBefore, spanUs, toUs } from '../webhooks/pace.ts';
import { type Slots, takeKnownSlots, takeSlots } from '../webhooks/take-slots.ts';
import { type AlertFile, slowerOf } from './file.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** So many users of a file are to be sent again. */
export interface ResendOrder {
  readonly file: AlertFile;
  readonly endpoint: Endpoint;
  readonly count: number;
  /** Slots of the endpoint that a refused batch has left. */
  readonly spare: Slots;
}

/** When they go, and what the file then has to know. */
export interface ResendPace {
  /** One per user: by the endpoint's pace, or by the file's where that is the slower one. */
  readonly slots?: Slots | undefined;
  /** Whoever goes by the file's pace takes a slot of the endpoint's when its time has come. */
  readonly duesMs: readonly number[];
  readonly nextResendUs?: number | undefined;
}

/** Its message, and whoever takes that, need some time: late ones would come together. */
const LEAD_MS = 2 * SECOND_MS;
/** Slots are whole milliseconds. */
const ROUNDING_US = toUs(1);

/**
 * Spaces users who are sent again by the slower of two limits, the file's own and the endpoint's.
 * A file that is slower takes no slot ahead: others of the endpoint would wait for nothing.
 */
export async function takeResendTimes(order: ResendOrder, world: Needs): Promise<ResendPace> {
  const { file, endpoint, count } = order;
  const { ratePerSecond: rate, nextResendUs = 0 } = file;
  if (count === 0) return { duesMs: [], nextResendUs: file.nextResendUs };
  if (rate === undefined) {
    const slots = spareOf(order) ?? (await takeSlots(world, endpoint, count));
    return { slots, duesMs: slots.slotsMs };
  }
  const pace = await findPace(world.db, endpoint);
  const nowMs = world.clock.nowMs();
  const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
  const freeUs = freeFromUs(pace, nowMs);
  const isEndpointSlower = perSecond !== undefined && perSecond <= rate;
  if (isEndpointSlower && nextResendUs <= freeUs + ROUNDING_US) {
    const slots = spareOf(order) ?? (await takeKnownSlots(world, { endpoint, pace }, count));
    const lastUs = toUs(slots.slotsMs[count - 1] ?? nowMs);
    return { slots, duesMs: slots.slotsMs, nextResendUs: lastUs + spanUs(1, rate) };
  }
  const slower = slowerOf(rate, perSecond) ?? rate;
  const startUs = Math.max(freeUs, nextResendUs, toUs(nowMs + LEAD_MS));
  const endUs = startUs + spanUs(count, slower);
  return { duesMs: slotsBefore(endUs, count, slower), nextResendUs: endUs };
}

/** When the endpoint has sent what it has to send, and may be asked again. */
function freeFromUs({ blockedUntilMs = 0, tatUs = 0 }: Pace, nowMs: number): number {
  return Math.max(toUs(nowMs), toUs(blockedUntilMs), tatUs);
}

/** Not where somebody else has sent users of the file again meanwhile, who go then. */
function spareOf({ file, spare, count }: ResendOrder): Slots | undefined {
  const [firstMs = 0] = spare.slotsMs;
  const isBehind = toUs(firstMs) + ROUNDING_US >= (file.nextResendUs ?? 0);
  return spare.slotsMs.length >= count && isBehind ? spare : undefined;
}
