import type { Clock } from '../../functions/shared/world.ts';
import { EARLY_MS } from '../../functions/webhooks/arrival.ts';
import { blockEndpoint, type Refusal } from '../../functions/webhooks/block-endpoint.ts';
import { chooseSlot } from '../../functions/webhooks/choose-slot.ts';
import { MESSAGE_AHEAD_MS_MAX } from '../../functions/webhooks/delivery-message.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { findPace } from '../../functions/webhooks/pace.store.ts';
import type { Pace, Slot } from '../../functions/webhooks/pace.ts';
import { takeSlotAhead } from '../../functions/webhooks/take-slot-ahead.ts';
import { takeSlots } from '../../functions/webhooks/take-slots.ts';
import type { TestWorld } from '../support/world.ts';

/** What is simulated around the real pace: queues, many workers, and the receiver. */
export interface Crowd {
  readonly endpoint: Endpoint;
  /** When the relay gets each batch, in milliseconds from the start, and how many events. */
  readonly batches: readonly { readonly atMs: number; readonly events: number }[];
  /** When a person has so many sent again. */
  readonly retries?: readonly { readonly atMs: number; readonly count: number }[];
  /** Each remembers the pace for up to five seconds, as an instance of Lambda does. */
  readonly workers: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** How long a message takes beyond its delay. */
  readonly latencyMs: (random: number) => number;
  /** Undefined for a 2xx. */
  readonly answer?: (atMs: number) => Refusal | undefined;
  /** What a person does meanwhile. */
  readonly acts?: readonly { readonly atMs: number; act(): Promise<Endpoint> }[];
}

export interface CrowdReport {
  /** When requests went out, from the start, and whether they were refused. */
  readonly sends: readonly Sent[];
  readonly receives: number;
  readonly delivered: number;
}

interface Sent {
  readonly atMs: number;
  readonly refused: boolean;
  /** Sent by a person, so many milliseconds after that wish. */
  readonly wishedMs?: number | undefined;
}

/** A message: its slot, and since when a person waits for it. */
interface Order {
  readonly reserved?: Slot | undefined;
  readonly wishedAtMs?: number | undefined;
}

interface Step {
  readonly atMs: number;
  run(): Promise<void>;
}

/** Plays it in virtual time until every delivery is done. */
export async function playCrowd(crowd: Crowd, world: TestWorld): Promise<CrowdReport> {
  const play = new Play(crowd, world);
  await play.run();
  return play;
}

class Play implements CrowdReport {
  readonly sends: Sent[] = [];
  receives = 0;
  delivered = 0;
  readonly #crowd: Crowd;
  readonly #world: TestWorld;
  readonly #agenda = new Agenda();
  readonly #memories: readonly Memory[];
  readonly #startMs: number;
  #endpoint: Endpoint;

  constructor(crowd: Crowd, world: TestWorld) {
    this.#crowd = crowd;
    this.#world = world;
    this.#memories = Array.from({ length: crowd.workers }, () => memoryOf(world));
    this.#startMs = world.clock.nowMs();
    this.#endpoint = crowd.endpoint;
  }

  async run(): Promise<void> {
    for (const { atMs, events } of this.#crowd.batches) {
      this.#agenda.add({ atMs: this.#startMs + atMs, run: () => this.#relay(events) });
    }
    for (const { atMs, count } of this.#crowd.retries ?? []) {
      const run = async () => {
        for (let nth = 0; nth < count; nth += 1) await this.#retry();
      };
      this.#agenda.add({ atMs: this.#startMs + atMs, run });
    }
    for (const { atMs, act } of this.#crowd.acts ?? []) {
      const run = async () => {
        this.#endpoint = await act();
      };
      this.#agenda.add({ atMs: this.#startMs + atMs, run });
    }
    await this.#agenda.play(this.#world.clock);
  }

  async #retry(): Promise<void> {
    const wishedAtMs = this.#world.clock.nowMs();
    const reserved = await takeSlotAhead(this.#world, this.#endpoint);
    this.#enqueue(reserved.atMs, { reserved, wishedAtMs });
  }

  async #relay(events: number): Promise<void> {
    const { clock } = this.#world;
    const isLimited = this.#endpoint.perSecond !== undefined;
    const taken = isLimited ? await takeSlots(this.#world, this.#endpoint, events) : undefined;
    for (let n = 0; n < events; n += 1) {
      const atMs = taken?.slotsMs[n] ?? clock.nowMs();
      const slot = taken && { atMs, version: taken.version };
      const isNear = atMs - clock.nowMs() <= MESSAGE_AHEAD_MS_MAX;
      // What is further away is a row that the sweeper finds in time.
      const run = async () => this.#enqueue(atMs, { reserved: slot });
      if (isNear) await run();
      else this.#agenda.add({ atMs: atMs - 60_000, run });
    }
  }

  /** A queue delays by whole seconds, rounded down. */
  #enqueue(atMs: number, order: Order = {}): void {
    const nowMs = this.#world.clock.nowMs();
    const delayMs = Math.floor(Math.max(0, atMs - nowMs) / 1_000) * 1_000;
    const arrivalMs = Math.ceil(nowMs + delayMs + this.#crowd.latencyMs(this.#crowd.random()));
    const wakeMs = order.reserved ? arrivalMs : Math.max(arrivalMs, atMs);
    this.#agenda.add({ atMs: wakeMs, run: () => this.#receive(order) });
  }

  async #receive({ reserved, wishedAtMs }: Order): Promise<void> {
    this.receives += 1;
    const nth = Math.floor(this.#crowd.random() * this.#memories.length);
    const memory = this.#memories[nth] as Memory;
    const endpoint = this.#endpoint;
    const known = { endpoint, pace: await memory.find(endpoint) };
    const urgent = wishedAtMs !== undefined;
    const slot = await chooseSlot(known, { reserved, urgent }, this.#world);
    const nowMs = this.#world.clock.nowMs();
    if (slot.atMs > nowMs + EARLY_MS) {
      return this.#enqueue(slot.atMs, { reserved: slot, wishedAtMs });
    }
    const run = () => this.#send(memory, wishedAtMs);
    this.#agenda.add({ atMs: Math.max(nowMs, slot.atMs), run });
  }

  async #send(memory: Memory, wishedAtMs: number | undefined): Promise<void> {
    const { clock } = this.#world;
    const nowMs = clock.nowMs();
    const refusal = this.#crowd.answer?.(nowMs - this.#startMs);
    const wishedMs = wishedAtMs === undefined ? undefined : nowMs - wishedAtMs;
    this.sends.push({ atMs: nowMs - this.#startMs, refused: refusal !== undefined, wishedMs });
    if (!refusal) {
      this.delivered += 1;
      return;
    }
    const untilMs = await blockEndpoint(this.#world, this.#endpoint, refusal);
    memory.forget();
    this.#enqueue(nowMs + (untilMs - nowMs) * (1 + 0.2 * this.#crowd.random()));
  }
}

type Memory = ReturnType<typeof memoryOf>;

function memoryOf(world: TestWorld) {
  let known: { readonly pace: Pace; readonly untilMs: number } | undefined;
  return {
    async find(endpoint: Endpoint): Promise<Pace> {
      const nowMs = world.clock.nowMs();
      if (!known || nowMs >= known.untilMs) {
        known = { pace: await findPace(world.db, endpoint), untilMs: nowMs + 5_000 };
      }
      return known.pace;
    },
    forget: () => {
      known = undefined;
    },
  };
}

/** Steps in the order of their time: a binary heap, stable enough for messages. */
class Agenda {
  readonly #heap: Step[] = [];

  add(step: Step): void {
    const heap = this.#heap;
    let at = heap.push(step) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Step).atMs <= step.atMs) break;
      heap[at] = heap[parent] as Step;
      at = parent;
    }
    heap[at] = step;
  }

  async play(clock: Clock & { set(ms: number): void }): Promise<void> {
    for (let step = this.#take(); step; step = this.#take()) {
      clock.set(Math.max(clock.nowMs(), step.atMs));
      await step.run();
    }
  }

  #take(): Step | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Step).atMs < (heap[child] as Step).atMs) {
        child += 1;
      }
      if ((heap[child] as Step).atMs >= last.atMs) break;
      heap[at] = heap[child] as Step;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** The most of these times that lie within one second. */
export function mostInASecond(timesMs: readonly number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  let [first, most] = [0, 0];
  for (const [index, ms] of sorted.entries()) {
    while (ms - (sorted[first] ?? ms) >= 1_000) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** The least distance of two of these times. */
export function leastGapMs(timesMs: readonly number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return Math.min(...sorted.slice(1).map((ms, index) => ms - (sorted[index] ?? 0)));
}
