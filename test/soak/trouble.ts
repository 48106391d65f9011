import { setTimeout as wait } from 'node:timers/promises';
import { callAws } from '../../local/aws-call.ts';
import type { Dice } from '../support/fuzz/dice.ts';
import type { Death } from './dying.ts';
import type { KillableCloud } from './killable-cloud.ts';

/** How a cloud is plagued while it has work to do. */
export interface Trouble<Killed extends Death> {
  readonly dice: Dice;
  /** At each of them a function dies once. */
  readonly steps: readonly Killed['step'][];
  /** One is ordered again so much later; absent: never. */
  readonly againAfterMs: number | undefined;
  /** So often either an instance of a victim is killed, or the queue is purged. */
  readonly everyMs: number;
  readonly victims: readonly string[];
  readonly queue: string;
  readonly purgeShare: number;
}

/** What a run under trouble has cost. */
export interface Troubled<Killed extends Death> {
  readonly deaths: readonly Killed[];
  /** Instances that were killed beside those deaths. */
  readonly killed: number;
  readonly purges: number;
  readonly seconds: number;
  /** A line for each step at which nobody died. */
  readonly violations: readonly string[];
}

/** The sweeper's minute, and the pause between two looks: one of the clock is too long here. */
export const TICK_MS = 3_000;

/** Makes the load while there is trouble, and then waits in peace until all is settled. */
export async function runInTrouble<Killed extends Death>(
  cloud: KillableCloud<Killed>,
  trouble: Trouble<Killed>,
  work: { load(): Promise<void>; settle(): Promise<void> },
): Promise<Troubled<Killed>> {
  const startMs = Date.now();
  const counts = { killed: 0, purges: 0 };
  const [ticking, loading] = [new AbortController(), new AbortController()];
  const loops = [
    tick(cloud, ticking.signal),
    plague(cloud, trouble, { counts, signal: loading.signal }),
  ];
  try {
    for (const step of trouble.steps) cloud.order(step);
    await work.load();
    loading.abort();
    await work.settle();
  } finally {
    loading.abort();
    ticking.abort();
    await Promise.all(loops);
  }
  const deaths = cloud.deaths();
  const alive = trouble.steps.filter((step) => !deaths.some((it) => it.step === step));
  return {
    ...{ deaths, ...counts, seconds: (Date.now() - startMs) / 1_000 },
    violations: alive.map((it) => `nobody died at ${it}`),
  };
}

async function tick(cloud: Pick<KillableCloud<Death>, 'invoke'>, signal: AbortSignal) {
  while (!signal.aborted) {
    await wait(TICK_MS, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) await cloud.invoke('timers/on-minute', {});
  }
}

interface Plague {
  readonly counts: { killed: number; purges: number };
  readonly signal: AbortSignal;
}

/** Only while there is load: what comes after is the healing. */
async function plague<Killed extends Death>(
  cloud: KillableCloud<Killed>,
  trouble: Trouble<Killed>,
  { counts, signal }: Plague,
): Promise<void> {
  const { dice, everyMs, againAfterMs } = trouble;
  for (let n = 0; !signal.aborted; n += 1) {
    await wait(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    if (dice.chance(trouble.purgeShare)) {
      const sqs = { endpoint: cloud.endpoints.sqs, service: 'sqs' as const };
      await callAws(sqs, 'PurgeQueue', { QueueUrl: cloud.queue(trouble.queue) });
      counts.purges += 1;
    } else {
      counts.killed += await cloud.killInstances(dice.pick(trouble.victims));
    }
    const isAgain = againAfterMs !== undefined && (n * everyMs) % againAfterMs === 0;
    if (isAgain) for (const step of trouble.steps) cloud.order(step);
  }
}

/** Asks until there is an answer, which a function that was killed does not give. */
export async function answered<Answer extends { readonly status: number }>(
  ask: () => Promise<Answer>,
  onLost: () => void = () => undefined,
): Promise<Answer> {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer && answer.status < 500) return answer;
    onLost();
    await wait(200);
  }
}
