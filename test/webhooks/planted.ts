import type { Write } from '../../functions/shared/world.ts';
import type { DeliveryWorld } from './delivery-world.ts';

/** The four rules that the protocol cannot do without. */
export const PLANTED = ['due', 'claim token', 'late look at the lease', 'check for held'] as const;
export type Planted = (typeof PLANTED)[number];

/** Doors that leave a rule out, so that the product itself needs no switches. */
export function plant(world: DeliveryWorld, planted?: Planted): DeliveryWorld {
  if (planted === undefined) return world;
  if (planted === 'late look at the lease') {
    const post: DeliveryWorld['http']['post'] = ({ stillWanted: _, ...request }) =>
      world.http.post(request);
    return { ...world, http: { ...world.http, post } };
  }
  const commit: DeliveryWorld['db']['commit'] = (writes) =>
    world.db.commit(writes.filter((it) => !isLeftOut(it, planted)).map((it) => alter(it, planted)));
  return { ...world, db: { ...world.db, commit } };
}

function isLeftOut({ kind }: Write, planted: Planted): boolean {
  return planted === 'check for held' && kind === 'check';
}

function alter(write: Write, planted: Planted): Write {
  if (write.kind !== 'update' || write.table !== 'deliveries') return write;
  if (planted === 'due') return withoutDue(write);
  return planted === 'claim token' ? withoutToken(write) : write;
}

type Update = Extract<Write, { kind: 'update' }>;

/** The record is on no index `due`, so that no sweeper finds it. */
function withoutDue(write: Update): Update {
  const without = (fields: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => !/^.due(Pk|Sk)$/.test(name)));
  return {
    ...write,
    update: write.update.replaceAll(/#due([PS]k)( = :due\1)?, /g, ''),
    names: without(write.names) as Record<string, string>,
    values: without(write.values),
  };
}

/** Whoever has read a record may write it, whatever has become of it since. */
function withoutToken({ condition: _, ...write }: Update): Update {
  const { ':seenToken': __, ...values } = write.values ?? {};
  return { ...write, values };
}
