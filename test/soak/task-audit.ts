import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Item } from '../../functions/shared/world.ts';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import { scanPages, scanTable } from '../support/invariants/snapshot.ts';
import { checkTasks } from '../support/invariants/tasks.ts';
import type { Wanted } from './cloud-tasks.ts';

interface Asked {
  readonly tenantId: string;
  readonly accounts: readonly string[];
  readonly wanted: readonly Wanted[];
}

/** An event as far as it is looked at: a hundred thousand whole ones fit into no memory. */
interface Told {
  readonly id: unknown;
  readonly type: unknown;
  readonly ts: number;
  /** The task's number, in one of its own. */
  readonly n?: number;
}

/** What is wrong with the tasks of a soak, by what was promised and what is stored now. */
export async function auditTasks(cloud: LocalCloud, { tenantId, accounts, wanted }: Asked) {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const tasks = await scanTable(client, cloud.table('tasks'), tenantId);
  const ledger = await scanTable(client, cloud.table('ledger'), tenantId);
  const outbox: Item[] = [];
  for await (const page of scanPages(client, cloud.table('outbox'), tenantId)) {
    outbox.push(...page);
  }
  const byId = new Map(tasks.map((it) => [String(it.id), it]));
  const sent = Map.groupBy(outbox.map(toldOf), (it) => it.n);
  const paid = Map.groupBy(
    ledger.filter((it) => it.sk === '#' && it.status === 'posted' && it.reference !== undefined),
    (it) => String(it.reference),
  );
  const lost = wanted.filter((it) => !byId.has(it.id)).map((it) => `${it.id} is lost`);
  const broken = wanted.flatMap((task) => {
    const faults = faultsOf(task, byId.get(task.id), {
      events: sent.get(task.n) ?? [],
      payments: paid.get(`soak-${task.n}`)?.length ?? 0,
    });
    return faults.map((it) => `${task.id} (${task.kind} ${task.n}) ${it}`);
  });
  const known = new Set(wanted.map((it) => it.id));
  const strange = tasks
    .filter((it) => !known.has(String(it.id)))
    .map((it) => `${it.id} is strange`);
  const payments = wanted.filter(
    (it) => it.kind === 'payment' && byId.get(it.id)?.state === 'fired',
  );
  const spent = ledger
    .filter((it) => accounts.includes(String(it.id)))
    .reduce((sum, it) => sum + Number(it.dr), 0);
  const money = spent === payments.length ? [] : [`${spent} was paid for ${payments.length} tasks`];
  const stored = [...checkTasks({ tasks, outbox, ledger }), ...checkLedger({ ledger, outbox })];
  const states = Map.groupBy(tasks, (it) => String(it.state));
  return {
    byState: Object.fromEntries([...states].map(([state, of]) => [state, of.length])),
    violations: [...lost, ...strange, ...broken, ...money, ...stored],
  };
}

function toldOf({ id, type, ts, data }: Item): Told {
  const told = { id, type, ts: Number(ts) };
  return type === 'soak.due' ? { ...told, n: JSON.parse(String(data)).n } : told;
}

/** What the task has done, beside what it says. */
interface Done {
  readonly events: readonly Told[];
  readonly payments: number;
}

function faultsOf(task: Wanted, stored: Item | undefined, { events, payments }: Done): string[] {
  if (!stored) return [];
  const { state } = stored;
  const isFired = state === 'fired';
  const ends = task.kind === 'refused' ? ['failed', 'cancelled'] : ['fired', 'cancelled'];
  const faults = [
    ends.includes(String(state)) ? '' : `is ${state}`,
    task.promise === 'cancelled' && state !== 'cancelled' ? `is ${state} after its cancel` : '',
    task.promise === 'ended' && state === 'cancelled' ? 'is cancelled after its end' : '',
    state === 'cancelled' && task.promise !== 'cancelled' ? 'is cancelled by nobody' : '',
    [task.dueMs, task.maybeMs].includes(Number(stored.dueMs))
      ? ''
      : `is due at ${stored.dueMs} instead of ${task.dueMs}`,
    Number(stored.firedAt ?? Infinity) < Number(stored.dueMs) ? 'was early' : '',
    events.some((it) => it.ts < Number(stored.dueMs)) ? 'told early' : '',
    events.length === (isFired && task.kind === 'event' ? 1 : 0) ? '' : `${events.length} events`,
    payments === (isFired && task.kind === 'payment' ? 1 : 0) ? '' : `${payments} payments`,
  ];
  return faults.filter((it) => it !== '');
}
