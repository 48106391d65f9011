import { setTimeout as wait } from 'node:timers/promises';
import { type ApiClient, type Body, newAccount, newTenantOf } from '../support/api.ts';
import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import type { Death } from './dying.ts';
import type { KillableCloud } from './killable-cloud.ts';
import { auditTasks } from './task-audit.ts';
import { TASK_KILL_STEPS, type TaskKillStep } from './task-kill-points.ts';
import { answered, runInTrouble, TICK_MS } from './trouble.ts';

export type TaskDeath = Death & { readonly step: TaskKillStep };

export interface TaskPlan {
  readonly tasks: number;
  readonly seed: number;
  /** Tasks are due at some moment within so long of their creation. */
  readonly withinMs: number;
  /**
   * Half of them so much later, many at one moment: the sweeper meets these before their time and
   * puts several into one message. Absent: none.
   */
  readonly laterMs?: number;
  /** A step at which a worker has died is ordered again so much later; absent: never. */
  readonly againAfterMs?: number;
  /** How long nothing may end, after all are created, before the rest is given up. */
  readonly settleMs: number;
  readonly tell: (line: string) => void;
}

export interface TaskSoak {
  readonly byState: Readonly<Record<string, number>>;
  readonly deaths: readonly TaskDeath[];
  readonly killed: number;
  readonly purges: number;
  /** Changes that were confirmed, and those that came too late. */
  readonly changes: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly violations: readonly string[];
}

/** What was asked for, and what the answers have promised. */
export interface Wanted {
  readonly n: number;
  readonly kind: Kind;
  readonly id: string;
  /** As of the last confirmed move. */
  dueMs: number;
  /** The time of a move whose answer got lost. */
  maybeMs?: number;
  /** A cancel that was confirmed, or any change that was refused because it had ended. */
  promise?: 'cancelled' | 'ended';
}

export type Kind = 'event' | 'payment' | 'refused';

/** The program by which the workers of tasks are killed. */
export const TASK_KILLS = { file: 'task-kill-points.ts', steps: TASK_KILL_STEPS } as const;

const STEPS: readonly TaskKillStep[] = TASK_KILL_STEPS['tasks/on-due'];
const CLIENTS = 8;
const ACCOUNTS = 20;
const TROUBLE_MS = 5_000;
const TOLD_EACH = 1_000;
const VICTIMS = ['tasks/on-due', 'timers/on-minute', 'timers/on-sweep', 'tasks/api'];
/** Of ten tasks so many are of each kind. */
const KINDS: readonly Kind[] = [
  ...Array.from({ length: 6 }, () => 'event' as const),
  ...Array.from({ length: 3 }, () => 'payment' as const),
  'refused',
];
const CHANGED_SHARE = 0.3;
/** Those that are due later are due at one of the moments that lie so far apart. */
const MOMENT_MS = 2_000;

interface Run {
  readonly cloud: KillableCloud<TaskDeath>;
  readonly plan: TaskPlan;
  readonly dice: Dice;
  readonly api: ApiClient;
  readonly tenantId: string;
  readonly accounts: readonly string[];
  readonly wanted: Wanted[];
  readonly changes: Record<string, number>;
}

/**
 * Tasks with events and transactions, some of them moved or cancelled close to their time, while
 * workers die at each step of firing, others are killed, and the queue is purged. Then all has to
 * end: each task once, none before its time, and none after its cancel was confirmed.
 */
export async function runTaskSoak(
  cloud: KillableCloud<TaskDeath>,
  plan: TaskPlan,
): Promise<TaskSoak> {
  const { api, tenantId } = await newTenantOf(cloud.apiUrl, cloud.adminKey);
  const accounts: string[] = [];
  while (accounts.length < ACCOUNTS) accounts.push(await newAccount(api, String(plan.tasks)));
  const run: Run = {
    ...{ cloud, plan, dice: diceOf(plan.seed), api, tenantId, accounts },
    ...{ wanted: [], changes: {} },
  };
  const trouble = {
    ...{ dice: run.dice, steps: STEPS, againAfterMs: plan.againAfterMs },
    ...{ everyMs: TROUBLE_MS, victims: VICTIMS, queue: 'tasks', purgeShare: 0.2 },
  };
  const work = { load: () => load(run), settle: () => settle(run) };
  const troubled = await runInTrouble(cloud, trouble, work);
  const { byState, violations } = await auditTasks(cloud, {
    tenantId,
    accounts,
    wanted: run.wanted,
  });
  return {
    ...{ ...troubled, byState, changes: run.changes },
    violations: [...troubled.violations, ...violations],
  };
}

async function load(run: Run): Promise<void> {
  const { plan } = run;
  let next = 0;
  const changes: Promise<void>[] = [];
  const client = async () => {
    for (let n = next++; n < plan.tasks; n = next++) {
      if (n % TOLD_EACH === 0) plan.tell(`${n} tasks, ${run.cloud.deaths().length} deaths`);
      const task = await create(run, n);
      if (run.dice.chance(CHANGED_SHARE)) changes.push(change(run, task));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await Promise.all(changes);
}

async function create(run: Run, n: number): Promise<Wanted> {
  const { api, dice, plan } = run;
  const kind = dice.pick(KINDS);
  const dueMs = isLater(run) ? laterTime(run) : Date.now() + dice.below(plan.withinMs);
  const body = { dueAt: new Date(dueMs).toISOString(), action: actionOf(run, kind, n) };
  const key = { 'idempotency-key': `soak-${plan.seed}-${n}` };
  const answer = await answered(() => api.post('/v1/tasks', body, key));
  if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  const task: Wanted = { n, kind, id: String(answer.body.id), dueMs };
  run.wanted.push(task);
  return task;
}

function isLater({ dice, plan }: Run): boolean {
  return plan.laterMs !== undefined && dice.chance(0.5);
}

function laterTime({ dice, plan: { laterMs = 0, withinMs } }: Run): number {
  const ms = Date.now() + laterMs + dice.below(withinMs);
  return Math.ceil(ms / MOMENT_MS) * MOMENT_MS;
}

function actionOf({ accounts, plan }: Run, kind: Kind, n: number): object {
  if (kind === 'event') return { type: 'event', eventType: 'soak.due', data: { n } };
  const transaction = {
    ...{ type: 'debit', accountId: accounts[n % accounts.length], currency: 'EUR' },
    amount: kind === 'payment' ? '1' : String(2 * plan.tasks),
    reference: `soak-${n}`,
  };
  return { type: 'transaction', transaction };
}

/** A cancel or a move, at some moment or right before the task is due. */
async function change({ api, dice, plan, changes }: Run, task: Wanted): Promise<void> {
  const leftMs = task.dueMs - Date.now();
  const isClose = dice.chance(0.5);
  await wait(Math.max(0, isClose ? leftMs - dice.below(100) : dice.below(Math.max(1, leftMs))));
  const isCancel = dice.chance(0.5);
  const dueMs = Date.now() + dice.below(plan.withinMs);
  const onLost = () => {
    if (!isCancel) task.maybeMs = dueMs;
  };
  const answer = await answered(
    () =>
      api.send(`/v1/tasks/${task.id}`, {
        method: isCancel ? 'DELETE' : 'PATCH',
        ...(!isCancel && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ dueAt: new Date(dueMs).toISOString() }),
        }),
      }),
    onLost,
  );
  const { status, body } = answer;
  if (status === 409 && body.code === 'task_already_fired') task.promise = 'ended';
  else if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  else if (isCancel) task.promise = 'cancelled';
  else task.dueMs = dueMs;
  const name = `${isCancel ? 'cancel' : 'move'} ${status}`;
  changes[name] = (changes[name] ?? 0) + 1;
}

/** Waits until nothing is scheduled any more, or nothing moves. */
async function settle({ api, plan }: Run): Promise<void> {
  let firstId: unknown;
  let deadlineMs = Date.now() + plan.settleMs;
  for (;;) {
    const { body } = await answered(() => api.get('/v1/tasks?limit=100'));
    const left = body.data as readonly Body[];
    if (left[0]?.id !== firstId) deadlineMs = Date.now() + plan.settleMs;
    firstId = left[0]?.id;
    plan.tell(`${left.length}${body.hasMore ? ' or more' : ''} are scheduled`);
    if (left.length === 0 || Date.now() > deadlineMs) return;
    await wait(TICK_MS);
  }
}
