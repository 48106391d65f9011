import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * S1 and D1 of the tasks: what is wrong with them, nothing if all is well. A task that fires does
 * so once and not before its time; what it was to do has been done exactly when it says so; and
 * only what is scheduled is on the index of what is due.
 */
export function checkTasks({
  tasks,
  outbox,
  ledger,
}: Pick<Snapshot, 'tasks' | 'outbox' | 'ledger'>): string[] {
  const events = new Map(outbox.map((it) => [String(it.id), it]));
  const records = new Map(ledger.map((it) => [`${it.tenant}#${it.id}`, it]));
  return [
    ...tasks.flatMap((task) => faultsOf(task, { events, records }).map((it) => `${task.id} ${it}`)),
    ...untold(tasks, outbox),
  ];
}

interface Effects {
  readonly events: ReadonlyMap<string, Item>;
  readonly records: ReadonlyMap<string, Item>;
}

function faultsOf(task: Item, { events, records }: Effects): string[] {
  const isScheduled = task.state === 'scheduled';
  const faults: string[] = [];
  if (isScheduled !== (task.duePk !== undefined)) faults.push(`is ${task.state}, and its due not`);
  const endedAt = Number(task.firedAt ?? task.failedAt ?? Infinity);
  if (endedAt < Number(task.dueMs)) faults.push('has ended before its time');
  const hasEnded = task.state === 'fired' || task.state === 'failed';
  if (hasEnded !== (task.event !== undefined)) faults.push(`is ${task.state}, and told otherwise`);
  if (task.event !== undefined && !events.has(String(task.event))) faults.push('lost its event');
  const record = records.get(`${task.tenant}#${task.transaction}`);
  const isPosted = record?.status === 'posted';
  if (task.transaction !== undefined && !isPosted) faults.push('lost its transaction');
  return faults;
}

/** Events of tasks that no task has sent, or more than one. */
function untold(tasks: readonly Item[], outbox: readonly Item[]): string[] {
  const senders = new Map<string, number>();
  for (const { event } of tasks) {
    if (event !== undefined) senders.set(String(event), (senders.get(String(event)) ?? 0) + 1);
  }
  return outbox
    .filter(({ type, id }) => String(type).startsWith('task.') && senders.get(String(id)) !== 1)
    .map(({ id, type }) => `${id} ${type} is not of one task`);
}
