import { Problem } from '../../functions/shared/problem.ts';
import type { Db, Reason } from '../../functions/shared/world.ts';
import type { Dice } from '../support/fuzz/dice.ts';

/**
 * `lost`: it is committed, and the answer never comes. `failed`: it is not even asked. The others
 * are answers that no local engine gives.
 */
export type Fault = 'lost' | 'failed' | 'conflict' | 'throttled' | 'unread';

const outage = () => new Problem('unavailable', { detail: 'A fault.', retryAfterSeconds: 1 });

/** The database with the fault that `next` names before each commit, and `isUnread` each read. */
export function faultyDb(
  db: Db,
  next: () => Fault | undefined,
  isUnread: () => boolean = () => false,
): Db {
  const reading =
    <Args extends unknown[], Answer>(read: (...args: Args) => Promise<Answer>) =>
    async (...args: Args) => {
      if (isUnread()) throw outage();
      return read(...args);
    };
  return {
    get: reading(db.get),
    getAll: reading(db.getAll),
    query: reading(db.query),
    async commit(writes) {
      const fault = next();
      if (fault === 'failed') throw outage();
      if (fault === 'conflict' || fault === 'throttled') {
        const reasons = writes.map((): Reason => ({ code: 'none' }));
        return { ok: false, reasons: reasons.with(-1, { code: fault }) };
      }
      const commit = await db.commit(writes);
      if (fault === 'lost') throw outage();
      return commit;
    },
  };
}

const SHARES: readonly (readonly [Fault, number])[] = [
  ['lost', 0.05],
  ['failed', 0.04],
  ['conflict', 0.1],
  ['throttled', 0.03],
];
const UNREAD_SHARE = 0.01;

/** Faults by chance, counted by kind. Equal dice make equal faults. */
export function randomFaults(db: Db, dice: Dice): { db: Db; counts: Map<Fault, number> } {
  const counts = new Map<Fault, number>();
  const note = (fault: Fault) => counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const next = () => {
    const fault = SHARES.find(([, share]) => dice.chance(share))?.[0];
    if (fault) note(fault);
    return fault;
  };
  const isUnread = () => {
    const unread = dice.chance(UNREAD_SHARE);
    if (unread) note('unread');
    return unread;
  };
  return { db: faultyDb(db, next, isUnread), counts };
}
