import type { Activity } from '../activity.ts';
import { type FunctionSpec, Instance, type InstanceTools, type InvokeResult } from './instance.ts';

export interface PoolLimits {
  /** Instances of one function; more events wait for one of them. */
  readonly instancesMax: number;
  /** An instance that was not needed for this long ends. */
  readonly idleMs: number;
}

/** Longer than the minute between two ticks, so that a scheduled function stays warm. */
const LIMITS: PoolLimits = { instancesMax: 10, idleMs: 90_000 };

/** A start is half a second of a processor: many at once would only slow each other down. */
const STARTING_MAX = 2;

export type PoolTools = InstanceTools & { readonly activity: Pick<Activity, 'touch'> };

interface Waiting {
  readonly event: unknown;
  readonly resolve: (result: InvokeResult) => void;
}

interface Idle {
  readonly instance: Instance;
  readonly end: NodeJS.Timeout;
}

/**
 * The instances of one function. An event gets an idle instance, else the first that becomes
 * free; while events wait, more instances start, up to the limit.
 */
export class FunctionPool {
  readonly spec: FunctionSpec;
  readonly #tools: PoolTools;
  readonly #limits: PoolLimits;
  readonly #instances = new Set<Instance>();
  readonly #idle: Idle[] = [];
  readonly #waiting: Waiting[] = [];
  #starting = 0;
  #stopped = false;

  constructor(spec: FunctionSpec, tools: PoolTools, limits: PoolLimits = LIMITS) {
    this.spec = spec;
    this.#tools = tools;
    this.#limits = limits;
  }

  get instancesMax(): number {
    return this.#limits.instancesMax;
  }

  /** The process ids of all instances. */
  get processIds(): number[] {
    return [...this.#instances].flatMap(({ processId }) => processId ?? []);
  }

  /** Never throws: whatever goes wrong is a failure of the function. */
  invoke(event: unknown): Promise<InvokeResult> {
    if (this.#stopped) return Promise.resolve(STOPPED);
    this.#tools.activity.touch();
    return new Promise((resolve) => {
      this.#waiting.push({ event, resolve });
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
    for (const { resolve } of this.#waiting.splice(0)) resolve(STOPPED);
    await this.kill();
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const idle = this.#idle.pop();
      if (!idle) break;
      clearTimeout(idle.end);
      if (!idle.instance.isGone) void this.#run(idle.instance);
      else this.#instances.delete(idle.instance);
    }
    while (this.#wantsMore()) void this.#start();
  }

  #wantsMore(): boolean {
    const { instancesMax } = this.#limits;
    const startingMax = Math.min(STARTING_MAX, this.#waiting.length);
    return this.#starting < startingMax && this.#instances.size < instancesMax;
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
    const next = this.#waiting.shift();
    if (!next) return this.#rest(instance);
    next.resolve(await instance.invoke(next.event));
    this.#tools.activity.touch();
    if (!instance.isGone) return this.#rest(instance);
    this.#instances.delete(instance);
    this.#assign();
  }

  #rest(instance: Instance): void {
    const end = setTimeout(() => void this.#end(instance), this.#limits.idleMs);
    this.#idle.push({ instance, end });
    this.#assign();
  }

  async #end(instance: Instance): Promise<void> {
    const at = this.#idle.findIndex((idle) => idle.instance === instance);
    if (at >= 0) clearTimeout(this.#idle.splice(at, 1)[0]?.end);
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
