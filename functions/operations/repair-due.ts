import { type Mending, repairOne } from '../audit/repair-one.ts';
import { toFile } from '../files/file.store.ts';
import { toReceipt } from '../inbox/receipt.store.ts';
import { isOpen } from '../inbox/receipt.ts';
import { toHold } from '../ledger/hold.store.ts';
import { known } from '../shared/form.ts';
import { minutePartition } from '../shared/sortable.ts';
import type { Item, Key, TableName, World, Write } from '../shared/world.ts';
import { toTask } from '../tasks/task.store.ts';
import { dueAttributes } from '../timers/due.ts';
import type { SweptTable } from '../timers/due-table.ts';
import { findSweep, type Sweep } from '../timers/sweep.store.ts';
import { toDelivery } from '../webhooks/delivery.store.ts';
import { isFinal } from '../webhooks/delivery.ts';
import { toHealth } from '../webhooks/health.store.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** What a repair of tables puts right, beside what follows from the journal. */
type TableMend =
  | 'due'
  | 'event of a task'
  | 'end of a task'
  | 'event of a webhook'
  | 'backlog'
  | 'block behind its deliveries'
  | 'watch';

/** How a repair of tables works, and who hears of it. */
export interface TableRepair extends Mending<TableMend> {
  /** All items of a table, page by page. */
  scan(table: TableName): AsyncIterable<readonly Item[]>;
  lost(loss: { readonly id: string; readonly detail: string }): void;
}

/** When somebody must look at an item; undefined where nobody has to. */
type Rule = (item: Item) => number | undefined;

const OVER = ['completed', 'failed', 'cancelled', 'expired'];

/** D1: everything that is not at its end is due at some time. Each table that is swept has one. */
const RULES: Readonly<Record<SweptTable, Rule>> = {
  ledger: (item) => {
    if (!String(item.id).startsWith('hld_')) return undefined;
    const { status, expiresAtMs } = toHold(item);
    return status === 'pending' ? expiresAtMs : undefined;
  },
  tasks: (item) => {
    const { state, dueMs } = toTask(item);
    return state === 'scheduled' ? dueMs : undefined;
  },
  deliveries: (item) => {
    // What a receiver answered lies behind `<event>#`.
    if (String(item.sk).includes('#')) return undefined;
    const delivery = toDelivery(item);
    const { status, seq, dueMs } = delivery;
    // First attempts are the reconciler's, but for those that have waited for a slot.
    const isFirst = status === 'inflight' && seq === 1 && dueMs === undefined;
    return isFinal(delivery) || isFirst ? undefined : (dueMs ?? 0);
  },
  files: (item) => {
    if (item.sk !== '#') return undefined;
    const { state, dueMs } = toFile(item);
    // A cancelled one is due until its workers have stopped and its retries are over.
    return dueMs ?? (OVER.includes(state) ? undefined : 0);
  },
  endpoints: (item) => {
    if (item.sk === 'HEALTH') return toHealth(item).probeAtMs;
    if (!String(item.sk).startsWith('REL#')) return undefined;
    // A later release may have kinds of releases that this one does not know, due like all others.
    const { due } = known(item);
    return typeof due === 'number' ? due : undefined;
  },
  control: (item) => {
    const isRunning = String(item.sk).startsWith('AUD#') && item.status === 'running';
    return isRunning ? Number(item.due ?? 0) : undefined;
  },
  inbox: (item) => {
    // Beside receipts lie their bodies, sources, backlogs and marks.
    if (!String(item.id).startsWith('rcp_')) return undefined;
    const receipt = toReceipt(item);
    return isOpen(receipt) ? receipt.nextAtMs : undefined;
  },
};

/**
 * Puts each unfinished item of a table where the sweeper finds it: on the index `due`, and not
 * behind its marks, which may come from a later second than the table. What cannot be read is
 * told.
 */
export async function repairDue(
  world: Needs,
  table: SweptTable,
  repair: TableRepair,
): Promise<void> {
  const sweep = await findSweep(world.db, table);
  for await (const items of repair.scan(table)) {
    for (const item of items) await repairItem(world, { table, item, sweep }, repair);
  }
}

interface Found {
  readonly table: SweptTable;
  readonly item: Item;
  readonly sweep: Sweep | undefined;
}

async function repairItem(
  world: Needs,
  { table, item, sweep }: Found,
  repair: TableRepair,
): Promise<void> {
  const key = { pk: String(item.pk), sk: String(item.sk) };
  const id = String(item.id ?? `${key.pk}#${key.sk}`);
  let dueMs: number | undefined;
  try {
    dueMs = RULES[table](item);
  } catch {
    repair.lost({
      id,
      detail: `${table} has a row of it that cannot be read: ${key.pk} ${key.sk}`,
    });
    return;
  }
  if (dueMs === undefined || isFound(item, sweep)) return;
  const writes = [setDue(table, { key, item, dueMs }, world.clock.nowMs())];
  await repairOne(world, repair, { what: 'due', id, writes });
}

/** Whether the sweeper comes by the minute under which the item is filed. */
function isFound({ duePk }: Item, sweep: Sweep | undefined): boolean {
  if (typeof duePk !== 'string') return false;
  if (!sweep) return true;
  const { through, open } = sweep.watch;
  const isOpen = open.some(({ minute }) => minuteName(minute) === minuteOf(duePk));
  return isOpen || minuteOf(duePk) > minuteName(through);
}

const minuteOf = (duePk: string) => duePk.split('#', 1)[0] ?? '';
const minuteName = (minute: number) => minuteOf(minutePartition(minute, 0));

interface Due {
  readonly key: Key;
  readonly item: Item;
  readonly dueMs: number;
}

/** Refused when somebody has filed it meanwhile. */
function setDue(table: SweptTable, { key, item, dueMs }: Due, nowMs: number): Write {
  const { duePk, dueSk } = dueAttributes(key, dueMs, nowMs);
  const isNew = item.duePk === undefined;
  return {
    kind: 'update',
    table,
    key,
    update: 'SET duePk = :duePk, dueSk = :dueSk',
    condition: isNew ? 'attribute_exists(pk) AND attribute_not_exists(duePk)' : 'duePk = :was',
    values: { ':duePk': duePk, ':dueSk': dueSk, ...(!isNew && { ':was': item.duePk }) },
  };
}
