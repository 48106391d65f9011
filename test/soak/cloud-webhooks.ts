import { setTimeout as wait } from 'node:timers/promises';
import { callAws } from '../../local/aws-call.ts';
import { type LocalCloud, startLocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, apiClient } from '../support/api.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { indexScans } from './scan-index.ts';
import { type Audit, auditWebhooks } from './webhook-audit.ts';
import { KINDS, pickerOf, type Receivers, startReceivers, TWICE } from './webhook-receivers.ts';
import { settle } from './webhook-settling.ts';
import { openTables } from './webhook-tables.ts';
import { openTenants, type SoakTenant } from './webhook-tenants.ts';

export interface WebhookPlan {
  readonly events: number;
  readonly seed: number;
  /** Where the cloud keeps its tables. */
  readonly stateDir: string;
  /** Workers are killed and queues purged at random moments, about so far apart. */
  readonly troubleEveryMs: number;
  /** How long nothing may settle, after the last trouble and beside looking, to be given up. */
  readonly settleMs: number;
  /** Told how far it is, every few seconds. */
  readonly tell: (line: string) => void;
}

export interface WebhookSoak {
  readonly deliveries: number;
  readonly copies: number;
  readonly marked: number;
  readonly killed: number;
  readonly purges: number;
  readonly byStatus: Readonly<Record<string, number>>;
  /** The most that this process has ever had, receivers and the cloud's servers included. */
  readonly memoryMb: number;
  readonly loadSeconds: number;
  readonly seconds: number;
  readonly violations: readonly string[];
}

/** The options of a cloud that is to heal in less than a minute; the real ones wait longer. */
export const IMPATIENT = {
  TALLYHOOK_RECONCILE_AFTER_SECONDS: '8',
  TALLYHOOK_RECHECK_AFTER_SECONDS: '30',
};

/**
 * More than the machine needs: with fewer than the functions of the soak have, some always end for
 * others to start, and that took a sixth of the processor.
 */
const INSTANCES_MAX = 16;

/** A cloud for this soak. */
export function startWebhookCloud(stateDir: string): Promise<LocalCloud> {
  return startLocalCloud({ stateDir, instancesMax: INSTANCES_MAX });
}

const BATCH = 100;
/**
 * From one batch to the next. A tenant's share of the fast lane grows with what comes steadily;
 * where much waits in the slow lane already, bursts would only make that longer.
 */
const BATCH_MS = { swift: 250, steady: 750 };
const TOLD_EACH = 1_000;
/** More would wait in a lane for so long that the reconciler sends them again. */
const QUEUED_MAX = { fast: 300, slow: 1_000 };
/**
 * Posted and not yet seen by a receiver: queued, or lost and waiting to be found again. What a
 * purge has taken is found after half a minute, and the load goes on meanwhile.
 */
const UNSEEN_MAX = 6_000;
const TICK_MS = 3_000;
/** A fifth of the processor went into ticks: under a long load they are as far apart as this. */
const CALM_TICK_MS = 9_000;
const LONG_EVENTS = 10_000;
const VICTIMS = [
  ...['webhooks/on-delivery', 'webhooks/on-outbox', 'webhooks/on-delivery'],
  ...['webhooks/on-reconcile', 'timers/on-minute'],
];

interface Run {
  readonly cloud: LocalCloud;
  readonly plan: WebhookPlan;
  readonly dice: Dice;
  readonly tenants: readonly SoakTenant[];
  readonly receivers: Receivers;
  /** The kind of each event, by its number. */
  readonly kinds: string[];
  /** How many deliveries they must come to. */
  wanted: number;
  /** How many of them wait for a breaker. */
  held: number;
  killed: number;
  purges: number;
  isLoading: boolean;
}

/**
 * Events to receivers of every kind, while workers are killed and queues are purged. Then all of
 * it has to settle: each event has one delivery per endpoint that wants it, at its end.
 */
export async function runWebhookSoak(cloud: LocalCloud, plan: WebhookPlan): Promise<WebhookSoak> {
  const receivers = await startReceivers(plan.seed + 1);
  const tenants = await openTenants(cloud, receivers);
  const run: Run = {
    ...{ cloud, plan, dice: diceOf(plan.seed), tenants, receivers },
    ...{ kinds: [], wanted: 0, held: 0, killed: 0, purges: 0, isLoading: true },
  };
  const startMs = Date.now();
  const ticking = tick(run);
  try {
    const trouble = makeTrouble(run);
    await load(run);
    run.isLoading = false;
    await trouble;
    const loadSeconds = (Date.now() - startMs) / 1_000;
    receivers.heal();
    const tables = openTables(
      cloud,
      tenants.map((it) => it.tenantId),
    );
    const { settleMs, tell, stateDir } = plan;
    await settle({ db: tables.db, tenants, wanted: run.wanted, settleMs, tell });
    indexScans(stateDir, [cloud.table('outbox'), cloud.table('deliveries')]);
    const audit = await auditWebhooks(run, tables);
    const violations = [...audit.violations, ...(await deadLetters(run))];
    const seconds = (Date.now() - startMs) / 1_000;
    return { ...figuresOf(run, audit), loadSeconds, seconds, violations };
  } finally {
    run.isLoading = false;
    ticking.abort();
    await receivers.close();
  }
}

async function load(run: Run): Promise<void> {
  const { plan, kinds, dice } = run;
  const pick = pickerOf(dice, plan.events);
  while (kinds.length < plan.events) {
    await takeTurn(run);
    const count = Math.min(BATCH, plan.events - kinds.length);
    const first = kinds.length;
    if (first % TOLD_EACH === 0) plan.tell(`${first} events, ${run.killed} workers killed`);
    kinds.push(...Array.from({ length: count }, pick));
    const made = kinds.slice(first);
    run.wanted += made.length + made.filter((it) => TWICE.includes(it)).length;
    run.held += made.filter((it) => KINDS[it]?.isHeld).length;
    const events = made.map((kind, at) => ({ kind, n: first + at }));
    const posts = run.tenants.map(({ api, endpoints }) => {
      const theirs = events.filter(({ kind }) => endpoints.has(kind));
      return post(api, theirs, `soak-${plan.seed}-${first}`);
    });
    await Promise.all(posts);
  }
}

async function post(
  api: ApiClient,
  made: readonly { readonly kind: string; readonly n: number }[],
  key: string,
): Promise<void> {
  if (made.length === 0) return;
  const events = made.map(({ kind, n }) => ({ type: `soak.${kind}`, data: { n } }));
  for (;;) {
    const headers = { 'idempotency-key': key };
    const { status, body } = await api.post('/v1/events/batch', { events }, headers);
    if (status === 202) return;
    if (status < 500 && status !== 429) throw new Error(`${status} ${JSON.stringify(body)}`);
    await wait(200);
  }
}

/** How many have not come yet, of those that do not wait for a breaker until the load is over. */
function unseen({ wanted, held, receivers }: Run): number {
  const logs = [...receivers.logs].filter(([kind]) => !KINDS[kind]?.isHeld);
  return wanted - held - logs.reduce((sum, [, it]) => sum + it.seen, 0);
}

/** Returns when there is room for one more batch. */
async function takeTurn(run: Run): Promise<void> {
  const isSteady = (await queued(run, 'slow')) > QUEUED_MAX.slow;
  await wait(BATCH_MS[isSteady ? 'steady' : 'swift']);
  while (unseen(run) > UNSEEN_MAX || (await queued(run, 'fast')) > QUEUED_MAX.fast) await wait(50);
}

/** How many attempts wait in a lane. */
async function queued({ cloud }: Run, lane: 'fast' | 'slow'): Promise<number> {
  const sqs = { endpoint: cloud.endpoints.sqs, service: 'sqs' as const };
  const { Attributes } = (await callAws(sqs, 'GetQueueAttributes', {
    QueueUrl: cloud.queue(`delivery-${lane}`),
    AttributeNames: ['ApproximateNumberOfMessages'],
  })) as { Attributes: { ApproximateNumberOfMessages: string } };
  return Number(Attributes.ApproximateNumberOfMessages);
}

/** The minute of the clock is too long for a test. */
function tick(run: Run): AbortController {
  const stop = new AbortController();
  const loop = async (entry: string) => {
    while (!stop.signal.aborted) {
      const isCalm = run.isLoading && run.plan.events > LONG_EVENTS;
      const tickMs = isCalm ? CALM_TICK_MS : TICK_MS;
      await wait(tickMs, undefined, { signal: stop.signal }).catch(() => undefined);
      if (!stop.signal.aborted) await run.cloud.invoke(entry, {});
    }
  };
  void loop('webhooks/on-reconcile');
  void loop('timers/on-minute');
  return stop;
}

/** Only while there is load: what comes after is the healing. */
async function makeTrouble(run: Run): Promise<void> {
  const { cloud, plan, dice } = run;
  while (run.isLoading) {
    await wait(plan.troubleEveryMs / 2 + dice.below(plan.troubleEveryMs));
    if (!run.isLoading) return;
    if (dice.chance(0.3)) {
      await purgeAll(cloud);
      run.purges += 1;
    } else {
      run.killed += await cloud.killInstances(dice.pick(VICTIMS));
    }
  }
}

async function purgeAll({ endpoints }: LocalCloud): Promise<void> {
  const sqs = { endpoint: endpoints.sqs, service: 'sqs' as const };
  const { QueueUrls = [] } = (await callAws(sqs, 'ListQueues', {})) as { QueueUrls?: string[] };
  await Promise.all(QueueUrls.map((QueueUrl) => callAws(sqs, 'PurgeQueue', { QueueUrl })));
}

/** Nothing may be parked: a receive count means that our code crashed, and five are too many. */
async function deadLetters({ cloud }: Run): Promise<string[]> {
  const { body } = await apiClient(cloud.apiUrl, cloud.adminKey).get<{
    data: { queue: string; depth: number }[];
  }>('/v1/admin/dead-letters');
  const full = body.data.filter(({ depth }) => depth > 0);
  return full.map(({ queue, depth }) => `${depth} dead letters in ${queue}`);
}

function figuresOf({ receivers, killed, purges }: Run, { deliveries, byStatus }: Audit) {
  const logs = [...receivers.logs.values()];
  const copies = logs.reduce((sum, it) => sum + it.copies, 0);
  const marked = logs.reduce((sum, it) => sum + it.marked, 0);
  const memoryMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  return { deliveries, copies, marked, killed, purges, byStatus, memoryMb };
}
