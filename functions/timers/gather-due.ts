import type { Message } from '../shared/world.ts';
import { groupOf, type SweptTable } from './due-table.ts';
import type { DueEntry } from './sweep.store.ts';
import { isOverdue, messageTimeMs } from './sweep.ts';

/** Tables whose room takes several items of one tenant by one message. */
const GATHERED: readonly SweptTable[] = ['tasks'];
/** Ten such messages are what a worker can do at once. */
const TOGETHER_MAX = 20;
/** Who is due so much later than another may come as early as that one. */
const TOGETHER_MS = 250;

/**
 * The messages of these entries, in order. Where the room of a table takes several by one message,
 * `others` has those that are due with its first: thousands of one second are too many messages to
 * be in the hands of workers in time. What is sent again goes by itself, so that nobody comes again
 * for the trouble of another.
 */
export function messagesOf(
  table: SweptTable,
  entries: readonly DueEntry[],
  nowMs: number,
): readonly Message[] {
  return gather(table, entries, nowMs).map(([{ pk, sk, dueMs }, ...rest]) => {
    const others = rest.map((it) => ({ pk: it.pk, dueMs: it.dueMs }));
    return {
      body: { v: 1, pk, sk, dueMs, ...(others.length > 0 && { others }) },
      atMs: messageTimeMs(dueMs, nowMs),
      group: groupOf(table, pk),
    };
  });
}

/** What shares a message, the first of it in front. */
type Together = [DueEntry, ...DueEntry[]];

function gather(
  table: SweptTable,
  entries: readonly DueEntry[],
  nowMs: number,
): readonly Together[] {
  if (!GATHERED.includes(table)) return entries.map((it) => [it]);
  const groups: Together[] = [];
  const open = new Map<string, Together>();
  for (const entry of entries) {
    const tenant = groupOf(table, entry.pk);
    const group = open.get(tenant);
    if (group && fits(group, entry, nowMs)) {
      group.push(entry);
    } else {
      const next: Together = [entry];
      groups.push(next);
      open.set(tenant, next);
    }
  }
  return groups;
}

function fits(group: Together, { dueMs }: DueEntry, nowMs: number): boolean {
  const [first] = group;
  if (isOverdue(first.dueMs, nowMs)) return false;
  return group.length < TOGETHER_MAX && dueMs - first.dueMs <= TOGETHER_MS;
}
