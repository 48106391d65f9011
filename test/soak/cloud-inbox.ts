import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type ApiClient, newTenantOf } from '../support/api.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import type { Death } from './dying.ts';
import { auditInbox } from './inbox-audit.ts';
import { INBOX_KILL_STEPS, type InboxKillStep } from './inbox-kill-points.ts';
import type { KillableCloud } from './killable-cloud.ts';
import { answered, runInTrouble, TICK_MS } from './trouble.ts';

export type InboxDeath = Death & { readonly step: InboxKillStep };

export interface InboxPlan {
  readonly webhooks: number;
  readonly seed: number;
  /** A step at which a function has died is ordered again so much later; absent: never. */
  readonly againAfterMs?: number;
  /** How long nothing may end, after all were answered, before the rest is given up. */
  readonly settleMs: number;
  readonly tell: (line: string) => void;
}

export interface InboxSoak {
  readonly answers: Readonly<Record<string, number>>;
  readonly deaths: readonly InboxDeath[];
  readonly killed: number;
  readonly purges: number;
  readonly seconds: number;
  readonly violations: readonly string[];
}

/** A webhook whose 202 was seen, or the 200 of a copy of it. */
export interface Promised {
  readonly n: number;
  readonly id: string;
}

/** The program by which the functions of the inbox are killed. */
export const INBOX_KILLS = { file: 'inbox-kill-points.ts', steps: INBOX_KILL_STEPS } as const;

const STEPS: readonly InboxKillStep[] = Object.values(INBOX_KILL_STEPS).flat();
const CLIENTS = 8;
const TROUBLE_MS = 4_000;
const TOLD_EACH = 1_000;
const COPY_SHARE = 0.2;
const VICTIMS = ['inbox/api', 'inbox/on-receipt', 'timers/on-minute'];
const SECRET = 'a secret of the soak';

/** Sends webhook n, and answers its status and id. */
type Sender = (n: number) => Promise<{ readonly status: number; readonly id: string }>;

interface Run {
  readonly cloud: KillableCloud<InboxDeath>;
  readonly plan: InboxPlan;
  readonly dice: Dice;
  readonly api: ApiClient;
  readonly senders: readonly Sender[];
  readonly promised: Promised[];
  readonly answers: Record<string, number>;
}

/**
 * Webhooks of a source without a limit, of one with a small backlog, and with an API key, many of
 * them in copies, while functions die at each step of receiving and processing, others are killed,
 * and the queue is purged. Then each one that was answered has one receipt and one event.
 */
export async function runInboxSoak(
  cloud: KillableCloud<InboxDeath>,
  plan: InboxPlan,
): Promise<InboxSoak> {
  const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
  const senders = [
    await sourceSender(api, {}),
    await sourceSender(api, { maxBacklog: 20, overflow: 'reject' }),
    keySender(api, plan.seed),
  ];
  const run: Run = {
    ...{ cloud, plan, dice: diceOf(plan.seed), api, senders },
    ...{ promised: [], answers: {} },
  };
  const trouble = {
    ...{ dice: run.dice, steps: STEPS, againAfterMs: plan.againAfterMs },
    ...{ everyMs: TROUBLE_MS, victims: VICTIMS, queue: 'inbox', purgeShare: 0.3 },
  };
  const work = { load: () => load(run), settle: () => settle(run) };
  const troubled = await runInTrouble(cloud, trouble, work);
  const audit = await auditInbox(cloud, { tenantId, promised: run.promised });
  return { ...troubled, answers: run.answers, violations: [...troubled.violations, ...audit] };
}

async function sourceSender(api: ApiClient, terms: object): Promise<Sender> {
  const body = { name: 'Soak', scheme: 'github', secret: SECRET, ...terms };
  const { body: source } = await answered(() => api.post<{ url: string }>('/v1/sources', body));
  return async (n) => {
    const text = textOf(n);
    const mac = createHmac('sha256', SECRET).update(text).digest('hex');
    const headers = { 'x-hub-signature-256': `sha256=${mac}` };
    const answer = await fetch(source.url, { method: 'POST', body: text, headers });
    const { id } = (await answer.json()) as { id: string };
    return { status: answer.status, id };
  };
}

function keySender(api: ApiClient, seed: number): Sender {
  return async (n) => {
    const key = { 'idempotency-key': `soak-${seed}-${n}` };
    const answer = await api.post<{ id: string }>('/v1/webhooks', JSON.parse(textOf(n)), key);
    return { status: answer.status, id: answer.body.id };
  };
}

/** Some lie beside their receipt. */
function textOf(n: number): string {
  return JSON.stringify({ n, filling: 'x'.repeat(n % 10 === 0 ? 3_000 : 10) });
}

async function load(run: Run): Promise<void> {
  const { plan, dice, senders } = run;
  let next = 0;
  const client = async () => {
    for (let n = next++; n < plan.webhooks; n = next++) {
      if (n % TOLD_EACH === 0) plan.tell(`${n} webhooks, ${run.cloud.deaths().length} deaths`);
      const sender = senders[n % senders.length] as Sender;
      const copies = dice.chance(COPY_SHARE) ? 2 + dice.below(4) : 1;
      await Promise.all(Array.from({ length: copies }, () => send(run, sender, n)));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

/** Until it is taken, as a sender does that tries again. */
async function send({ answers, promised, dice }: Run, sender: Sender, n: number): Promise<void> {
  for (;;) {
    const answer = await sender(n).catch(() => undefined);
    const status = String(answer?.status ?? 'none');
    answers[status] = (answers[status] ?? 0) + 1;
    if (answer?.status === 202 || answer?.status === 200) {
      promised.push({ n, id: answer.id });
      return;
    }
    if (answer && answer.status < 500 && answer.status !== 429) throw new Error(`${n}: ${status}`);
    await wait(100 + dice.below(400));
  }
}

/** Waits until nothing is open any more, or nothing moves. */
async function settle({ api, plan }: Run): Promise<void> {
  let firstId: unknown;
  let deadlineMs = Date.now() + plan.settleMs;
  for (;;) {
    const pages = await Promise.all(
      ['pending', 'processing'].map((it) =>
        answered(() => api.get<{ data: { id: string }[] }>(`/v1/webhooks?limit=100&status=${it}`)),
      ),
    );
    const left = pages.flatMap(({ body }) => body.data);
    if (left[0]?.id !== firstId) deadlineMs = Date.now() + plan.settleMs;
    firstId = left[0]?.id;
    plan.tell(`${left.length} of the latest are open`);
    if (left.length === 0 || Date.now() > deadlineMs) return;
    await wait(TICK_MS);
  }
}
