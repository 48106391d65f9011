import type { Task } from './task.ts';

/** So many act at a time: transactions of one account hinder each other. */
const LANES = 20;
/** So many of one tenant act whatever the others do. */
const OWN_LANES = 4;

/** Does it when it is the turn of this task. */
export type InTurn = <Result>(task: Task, act: () => Promise<Result>) => Promise<Result>;

interface Waiting {
  readonly tenantId: string;
  readonly dueMs: number;
  readonly start: () => void;
}

/**
 * The lanes of one batch. Whoever waits for its time takes none. Those of a tenant that has the
 * fewest are next, the soonest first, and no tenant can take all: a few are left for each other.
 */
export function openLanes(): InTurn {
  const taken = new Map<string, number>();
  const waiting: Waiting[] = [];
  const ofTenant = ({ tenantId }: Waiting) => taken.get(tenantId) ?? 0;
  const take = (tenantId: string, count: number) =>
    taken.set(tenantId, (taken.get(tenantId) ?? 0) + count);

  const startNext = () => {
    const all = [...taken.values()].reduce((sum, it) => sum + it, 0);
    const [next] = waiting
      .filter((it) => all < LANES || ofTenant(it) < OWN_LANES)
      .sort((a, b) => ofTenant(a) - ofTenant(b) || a.dueMs - b.dueMs);
    if (!next) return;
    waiting.splice(waiting.indexOf(next), 1);
    take(next.tenantId, 1);
    next.start();
  };

  return async ({ tenantId, dueMs }, act) => {
    await new Promise<void>((start) => {
      waiting.push({ tenantId, dueMs, start });
      startNext();
    });
    try {
      return await act();
    } finally {
      take(tenantId, -1);
      startNext();
    }
  };
}
