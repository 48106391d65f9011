import type { Db, World, Write } from '../world.ts';

/** A batch tells of up to a hundred: its line in the log names the first of them. */
const NAMED_MAX = 10;

/**
 * The same doors, which note the events that a request commits. The line of the request names
 * them, so that the lines of their deliveries are found from there.
 */
export function notingEvents<Doors extends object>(
  doors: Doors,
  trace: { events?: readonly string[] },
): Doors {
  const { db } = doors as Partial<Pick<World, 'db'>>;
  if (!db) return doors;
  const commit: Db['commit'] = async (writes) => {
    const done = await db.commit(writes);
    const told = done.ok ? writes.flatMap(eventIn) : [];
    if (told.length > 0) trace.events = [...(trace.events ?? []), ...told].slice(0, NAMED_MAX);
    return done;
  };
  return { ...doors, db: { ...db, commit } };
}

/** A new item of the outbox that says what has happened; keys of requests lie there, too. */
function eventIn(write: Write): string[] {
  if (write.kind !== 'put' || write.table !== 'outbox') return [];
  const { id, type } = write.item;
  return typeof id === 'string' && type !== undefined ? [id] : [];
}
