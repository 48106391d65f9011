import { repairOne } from '../audit/repair-one.ts';
import { eventKey } from '../events/event.store.ts';
import { timeOfId } from '../shared/ids/ulid.ts';
import type { MinuteWatch } from '../shared/minute-watch.ts';
import { DAY_MS, MINUTE_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import {
  findWatches,
  minutesToOpen,
  type SetBack,
  setBackWatches,
} from '../webhooks/outbox-watch.store.ts';
import type { TableRepair } from './repair-due.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** Between the seconds to which tables were restored there is less. */
const MARGIN_MINUTES = 60;

/** So many minutes a watch can bear to have opened; it has room for twice as many. */
const OPENED_MAX = 500;

/**
 * Sets the reconciler back to an hour before the newest event, and has it visit the minutes of
 * older ones again that nobody has relayed: it relays those, and sends again what has no delivery.
 * Where these are very many, it is set back to the oldest. Throws when the reconciler runs
 * meanwhile.
 */
export async function repairWatches(world: Needs, repair: TableRepair): Promise<void> {
  let newestMs = 0;
  const unrelayed = new Set<number>();
  for await (const items of repair.scan('outbox')) {
    for (const { id, relayedAt } of items) {
      if (typeof id !== 'string' || !id.startsWith('evt_')) continue;
      const atMs = timeOfId(id);
      newestMs = Math.max(newestMs, atMs);
      if (relayedAt === undefined) unrelayed.add(Math.floor(atMs / MINUTE_MS));
    }
  }
  const { relay, recheck } = await findWatches(world.db);
  // Before its first tick it looks back by itself.
  if (!relay || !recheck || newestMs === 0) return;
  const back = whereTo(Math.floor(newestMs / MINUTE_MS), [...unrelayed]);
  const isBack = (it: MinuteWatch) =>
    it.through <= back.through && minutesToOpen(it, back).length === 0;
  if (isBack(relay) && isBack(recheck)) return;
  const writes = [setBackWatches({ relay, recheck }, back)];
  const isDone = await repairOne(world, repair, { what: 'watch', id: 'W#outbox', writes });
  if (!isDone) throw new Error('the reconciler goes on meanwhile: stop it, and run it again');
}

function whereTo(newest: number, unrelayed: readonly number[]): SetBack {
  const through = newest - MARGIN_MINUTES;
  const older = unrelayed.filter((it) => it <= through).toSorted((a, b) => a - b);
  if (older.length <= OPENED_MAX) return { through, minutes: older };
  return { through: (older[0] ?? newest) - MARGIN_MINUTES };
}

/** Deliveries are kept for 30 days, and events for two more. */
const EVENT_AGE_MAX_MS = 29 * DAY_MS;

/** Deliveries whose event is lost: without its data they cannot be sent again. */
export async function findOrphans({ clock, db }: Needs, repair: TableRepair): Promise<void> {
  const fromMs = clock.nowMs() - EVENT_AGE_MAX_MS;
  for await (const items of repair.scan('deliveries')) {
    const rows = items.filter((it) => isOfEvent(it) && timeOfId(String(it.sk)) >= fromMs);
    if (rows.length === 0) continue;
    const keys = rows.map(({ pk, sk }) => {
      const [tenantId = ''] = String(pk).split('#');
      return { table: 'outbox' as const, ...eventKey(tenantId, String(sk)) };
    });
    const events = await db.getAll(keys);
    for (const [index, { pk, sk, status }] of rows.entries()) {
      if (events[index]) continue;
      const [, endpointId] = String(pk).split('#');
      const detail = `its event is lost; the delivery to ${endpointId} is ${status}`;
      repair.lost({ id: String(sk), detail });
    }
  }
}

/** Alerts of files have their data in the bucket. */
function isOfEvent({ sk, origin }: Item): boolean {
  return /^evt_\w+$/.test(String(sk)) && origin === undefined;
}
