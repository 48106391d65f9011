import type { Units } from '../../functions/shared/aws/db.ts';
import type { TestWorld } from './world.ts';

/** What one piece of work consumes: reads; writes to tables, and to their indexes. */
export async function costOf(
  { units }: Pick<TestWorld, 'units'>,
  work: () => Promise<unknown>,
): Promise<string> {
  units.splice(0);
  await work();
  const writes = new Set(['commit', 'put', 'update', 'remove']);
  const sum = (some: readonly Units[], pick: (it: Units['consumed'][number]) => number) =>
    some.flatMap((it) => it.consumed).reduce((total, it) => total + pick(it), 0);
  const read = units.filter((it) => !writes.has(it.operation));
  const written = units.filter((it) => writes.has(it.operation));
  const ofTables = sum(written, (it) => it.Table?.CapacityUnits ?? 0);
  const all = sum(written, (it) => it.CapacityUnits ?? 0);
  return `${sum(read, (it) => it.CapacityUnits ?? 0)} RRU, ${ofTables} + ${all - ofTables} WRU`;
}
