import type { Activity } from '../activity.ts';
import type { Crowd, Member } from './crowd.ts';
import { type FunctionSpec, Instance, type InstanceTools, type InvokeResult } from './instance.ts';

export interface PoolLimits {
  /** Instances of one function; more events wait for one of them. */
  readonly instancesMax: number;
  /** An instance that was not needed for this long ends, if it is not the only one. */
  readonly idleMs: number;
  /** The only one ends after this time, at the next multiple of `idleMs`. */
  readonly onlyIdleMs: number;
}

/** The only one outlasts the minute between two ticks, so that a scheduled function stays warm. */
const LIMITS: PoolLimits = { instancesMax: 10, idleMs: 20_000, onlyIdleMs: 90_000 };

/** A start is half a second of a processor: many at once would only slow each other down. */
const STARTING_MAX = 2;

/** How soon a pool that was not admitted asks again. */
const ASK_AGAIN_MS = 250;

/** What takes longer waits, as a rule, for a receiver. */
const WAITS_AFTER_MS = 1_000;

export type PoolTools = InstanceTools & {
  readonly activity: Pick<Activity, 'touch'>;
  /** Shared with the other functions. */
  readonly crowd: Crowd;
};

interface Waiting {
  readonly event: unknown;
  readonly source: string;
  readonly resolve: (result: InvokeResult) => void;
}

interface Idle {
  readonly instance: Instance;
  readonly sinceMs: number;
  readonly end: NodeJS.Timeout;
}

/**
 * The instances of one function. An event gets an idle instance, else the first that becomes
 * free; while events wait, more instances start, up to the limit.
 */
export class FunctionPool implements Member {
  readonly spec: FunctionSpec;
  readonly #tools: PoolTools;
  readonly #limits: PoolLimits;
  readonly #instances = new Set<Instance>();
  /** Whose event each works at, and since when. */
  readonly #busy = new Map<Instance, { readonly source: string; readonly sinceMs: number }>();
  /** The longest idle one first; the one that worked last is taken first. */
  readonly #idle: Idle[] = [];
  readonly #waiting: Waiting[] = [];
  #starting = 0;
  #stopped = false;
  #askAgain: NodeJS.Timeout | undefined;

  constructor(spec: FunctionSpec, tools: PoolTools, limits: PoolLimits = LIMITS) {
    this.spec = spec;
    this.#tools = tools;
    this.#limits = limits;
    tools.crowd.join(this);
  }

  get instancesMax(): number {
    return this.#limits.instancesMax;
  }

  get size(): number {
    return this.#instances.size;
  }

  get waiting(): number {
    const latestMs = Date.now() - WAITS_AFTER_MS;
    return [...this.#busy.values()].filter(({ sinceMs }) => sinceMs <= latestMs).length;
  }

  get idleSinceMs(): number | undefined {
    return this.#idle[0]?.sinceMs;
  }

  endLongestIdle(): void {
    const [longest] = this.#idle;
    if (longest) void this.#end(longest.instance);
  }

  /** The process ids of all instances. */
  get processIds(): number[] {
    return [...this.#instances].flatMap(({ processId }) => processId ?? []);
  }

  /**
   * Never throws: whatever goes wrong is a failure of the function. Events of one source wait for
   * their turn in it, not for those of another source.
   */
  invoke(event: unknown, source = ''): Promise<InvokeResult> {
    if (this.#stopped) return Promise.resolve(STOPPED);
    this.#tools.activity.touch();
    return new Promise((resolve) => {
      this.#waiting.push({ event, source, resolve });
      this.#assign();
    });
  }

  /** Kills all instances as they are, also those that work, as a crash of the machine would. */
  async kill(): Promise<number> {
    const instances = [...this.#instances];
    await Promise.all(instances.map((instance) => this.#end(instance)));
    return instances.length;
  }

  /** Refuses new events and ends every instance. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#askAgain);
    for (const { resolve } of this.#waiting.splice(0)) resolve(STOPPED);
    await this.kill();
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const idle = this.#idle.pop();
      if (!idle) break;
      clearInterval(idle.end);
      if (!idle.instance.isGone) void this.#run(idle.instance);
      else this.#instances.delete(idle.instance);
    }
    while (this.#wantsMore()) void this.#start();
  }

  #wantsMore(): boolean {
    const { instancesMax } = this.#limits;
    const startingMax = Math.min(STARTING_MAX, this.#waiting.length);
    if (this.#starting >= startingMax || this.#instances.size >= instancesMax) return false;
    if (this.#tools.crowd.admits(this)) return true;
    this.#askAgain ??= setTimeout(() => {
      this.#askAgain = undefined;
      this.#assign();
    }, ASK_AGAIN_MS);
    return false;
  }

  async #start(): Promise<void> {
    const instance = new Instance(this.spec, this.#tools);
    this.#instances.add(instance);
    this.#starting += 1;
    const isReady = await instance.started;
    this.#starting -= 1;
    if (isReady) return this.#rest(instance);
    this.#instances.delete(instance);
    if (this.#stopped) return;
    // A function that cannot start fails one event, so that a broken bundle cannot spin for ever.
    this.#waiting.shift()?.resolve(NOT_STARTED);
    this.#assign();
  }

  async #run(instance: Instance): Promise<void> {
    const next = this.#takeNext();
    if (!next) return this.#rest(instance);
    this.#busy.set(instance, { source: next.source, sinceMs: Date.now() });
    next.resolve(await instance.invoke(next.event));
    this.#busy.delete(instance);
    this.#tools.activity.touch();
    if (!instance.isGone) return this.#rest(instance);
    this.#instances.delete(instance);
    this.#assign();
  }

  /** The first of the source that has the fewest instances. */
  #takeNext(): Waiting | undefined {
    const busy = [...this.#busy.values()];
    const countOf = (of: string) => busy.filter(({ source }) => source === of).length;
    const firsts = Map.groupBy(this.#waiting, ({ source }) => source);
    let next: Waiting | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const [source, [first]] of firsts) {
      const count = countOf(source);
      if (count >= fewest) continue;
      [next, fewest] = [first, count];
    }
    if (next) this.#waiting.splice(this.#waiting.indexOf(next), 1);
    return next;
  }

  #rest(instance: Instance): void {
    const { idleMs, onlyIdleMs } = this.#limits;
    const sinceMs = Date.now();
    const end = setInterval(() => {
      const isSpare = this.size > 1 || Date.now() - sinceMs >= onlyIdleMs;
      if (isSpare) void this.#end(instance);
    }, idleMs);
    this.#idle.push({ instance, sinceMs, end });
    this.#assign();
  }

  async #end(instance: Instance): Promise<void> {
    const at = this.#idle.findIndex((idle) => idle.instance === instance);
    if (at >= 0) clearInterval(this.#idle.splice(at, 1)[0]?.end);
    this.#instances.delete(instance);
    await instance.kill();
  }
}

const STOPPED: InvokeResult = {
  ok: false,
  failure: { errorType: 'LocalCloud.Stopped', errorMessage: 'The local cloud is stopping' },
};

const NOT_STARTED: InvokeResult = {
  ok: false,
  failure: {
    errorType: 'Runtime.ExitError',
    errorMessage: 'The function did not start; the log of the local cloud says why',
  },
};
