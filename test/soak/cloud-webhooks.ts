import { setTimeout as wait } from 'node:timers/promises';
import { callAws } from '../../local/aws-call.ts';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { type ApiClient, apiClient, newTenantOf } from '../support/api.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { type Audit, auditWebhooks } from './webhook-audit.ts';
import {
  COPY,
  KINDS,
  pickerOf,
  type Receivers,
  startReceivers,
  TWICE,
} from './webhook-receivers.ts';
import { settle } from './webhook-settling.ts';
import { openTables } from './webhook-tables.ts';

export interface WebhookPlan {
  readonly events: number;
  readonly seed: number;
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

const BATCH = 100;
const TOLD_EACH = 1_000;
/** More would wait in the queue for so long that the reconciler sends them again. */
const QUEUED_MAX = 300;
/** Posted and not yet seen by a receiver: queued, or lost and waiting to be found again. */
const UNSEEN_MAX = 2_000;
const TICK_MS = 3_000;
const VICTIMS = [
  ...['webhooks/on-delivery', 'webhooks/on-outbox', 'webhooks/on-delivery'],
  ...['webhooks/on-reconcile', 'timers/on-minute'],
];

interface Run {
  readonly cloud: LocalCloud;
  readonly plan: WebhookPlan;
  readonly dice: Dice;
  readonly api: ApiClient;
  readonly tenantId: string;
  readonly receivers: Receivers;
  readonly endpoints: ReadonlyMap<string, string>;
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
  const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
  const endpoints = await openEndpoints(api, receivers);
  const run: Run = {
    ...{ cloud, plan, dice: diceOf(plan.seed), api, tenantId, receivers, endpoints },
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
    const tables = openTables(cloud, tenantId);
    await settle({
      ...{ api, wanted: run.wanted, settleMs: plan.settleMs, tell: plan.tell },
      stored: { db: tables.db, tenantId, endpointIds: [...endpoints.values()] },
    });
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

async function openEndpoints(api: ApiClient, receivers: Receivers): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const kind of [...Object.keys(KINDS), COPY]) {
    const types = kind === COPY ? TWICE : [kind];
    const { body } = await api.post<{ id: string; secret: string }>('/v1/endpoints', {
      url: receivers.urlOf(kind),
      eventTypes: types.map((it) => `soak.${it}`),
      retry: { maxAttempts: 30, schedule: [1] },
      ...KINDS[kind]?.endpoint,
    });
    receivers.trust(kind, body.secret);
    ids.set(kind, body.id);
  }
  return ids;
}

async function load(run: Run): Promise<void> {
  const { plan, kinds, dice, api } = run;
  const pick = pickerOf(dice, plan.events);
  while (kinds.length < plan.events) {
    while (unseen(run) > UNSEEN_MAX || (await queued(run)) > QUEUED_MAX) await wait(50);
    const count = Math.min(BATCH, plan.events - kinds.length);
    const first = kinds.length;
    if (first % TOLD_EACH === 0) plan.tell(`${first} events, ${run.killed} workers killed`);
    kinds.push(...Array.from({ length: count }, pick));
    const made = kinds.slice(first);
    run.wanted += made.length + made.filter((it) => TWICE.includes(it)).length;
    run.held += made.filter((it) => KINDS[it]?.isHeld).length;
    const events = made.map((kind, at) => ({ type: `soak.${kind}`, data: { n: first + at } }));
    const key = { 'idempotency-key': `soak-${plan.seed}-${first}` };
    for (;;) {
      const { status, body } = await api.post('/v1/events/batch', { events }, key);
      if (status === 202) break;
      if (status < 500 && status !== 429) throw new Error(`${status} ${JSON.stringify(body)}`);
      await wait(200);
    }
  }
}

/** How many have not come yet, of those that do not wait for a breaker until the load is over. */
function unseen({ wanted, held, receivers }: Run): number {
  const logs = [...receivers.logs].filter(([kind]) => !KINDS[kind]?.isHeld);
  return wanted - held - logs.reduce((sum, [, it]) => sum + it.seen, 0);
}

/** How many first attempts wait in the queue. */
async function queued({ cloud }: Run): Promise<number> {
  const sqs = { endpoint: cloud.endpoints.sqs, service: 'sqs' as const };
  const { Attributes } = (await callAws(sqs, 'GetQueueAttributes', {
    QueueUrl: cloud.queue('delivery-fast'),
    AttributeNames: ['ApproximateNumberOfMessages'],
  })) as { Attributes: { ApproximateNumberOfMessages: string } };
  return Number(Attributes.ApproximateNumberOfMessages);
}

/** The minute of the clock is too long for a test. */
function tick({ cloud }: Run): AbortController {
  const stop = new AbortController();
  const loop = async (entry: string) => {
    while (!stop.signal.aborted) {
      await wait(TICK_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      if (!stop.signal.aborted) await cloud.invoke(entry, {});
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
