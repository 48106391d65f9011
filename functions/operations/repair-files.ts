import { repairOne } from '../audit/repair-one.ts';
import { hasBit, withBits } from '../files/bitmap.ts';
import { blockKey, saveRetried, toBlock } from '../files/block.store.ts';
import { type Block, unsettledPlaces } from '../files/block.ts';
import { fileNameOfKey, findFile } from '../files/file.store.ts';
import type { AlertFile } from '../files/file.ts';
import { settleAlerts } from '../files/settle-alerts.ts';
import { Problem } from '../shared/problem.ts';
import type { Item, Key, World } from '../shared/world.ts';
import { nameOfKey } from '../webhooks/delivery.store.ts';
import type { TableRepair } from './repair-due.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'>;

/** Users of a block by their places. */
type Places = ReadonlySet<number>;

/** Those of all blocks, by the key of the block in one text. */
type PlacesByBlock = Map<string, Set<number>>;

/**
 * Holds the blocks of files against the deliveries of their alerts. A block that is behind gets
 * the marks of its deliveries, because a worker would alert those users again. Users whose retry
 * is lost are told, and counted as uncertain: nobody would ever send it, and the file would never
 * end. Told are files and blocks, too, that only deliveries know of.
 */
export async function repairFiles(world: Needs, repair: TableRepair): Promise<void> {
  // The blocks first: what is written meanwhile must not look like a loss.
  const waiting = await retriedUsers(repair);
  const failed = await failedAlerts(repair);
  for (const id of new Set([...waiting.keys(), ...failed.keys()])) {
    const [pk = '', sk = ''] = id.split(' ');
    const [expected, found] = [waiting.get(id) ?? NOBODY, failed.get(id) ?? NOBODY];
    await repairBlock(world, { key: { pk, sk }, expected, found }, repair);
  }
}

const NOBODY: Places = new Set();

const textOf = ({ pk, sk }: { readonly pk?: unknown; readonly sk?: unknown }) => `${pk} ${sk}`;

/** Users who should have deliveries of their own. */
async function retriedUsers({ scan, lost }: TableRepair): Promise<PlacesByBlock> {
  const waiting: PlacesByBlock = new Map();
  for await (const items of scan('files')) {
    for (const item of items) {
      if (!String(item.sk).startsWith('B#')) continue;
      const block = readBlock(item);
      const { fileId } = fileNameOfKey({ pk: String(item.pk) });
      if (!block) lost({ id: fileId, detail: `its block ${item.sk} cannot be read` });
      const places = block ? unsettledPlaces(block) : [];
      if (places.length > 0) waiting.set(textOf(item), new Set(places));
    }
  }
  return waiting;
}

/** Users who have them, because their first attempts failed. */
async function failedAlerts({ scan }: TableRepair): Promise<PlacesByBlock> {
  const found: PlacesByBlock = new Map();
  for await (const items of scan('deliveries')) {
    for (const { pk, sk, origin } of items) {
      if (typeof origin !== 'object' || origin === null) continue;
      const { fileId, block, index } = origin as { fileId: string; block: number; index: number };
      const { tenantId } = nameOfKey({ pk: String(pk), sk: String(sk) });
      const key = textOf(blockKey({ tenantId, fileId }, Number(block)));
      const places = found.get(key) ?? new Set();
      found.set(key, places.add(Number(index)));
    }
  }
  return found;
}

interface Compared {
  readonly key: Key;
  /** Users of the block who should have deliveries. */
  readonly expected: Places;
  /** Those who have. */
  readonly found: Places;
}

/** By the block as it is now: since the tables were read, somebody may have gone on with it. */
async function repairBlock(world: Needs, { key, expected, found }: Compared, repair: TableRepair) {
  const name = fileNameOfKey(key);
  const [file, item] = [await findFile(world.db, name), await world.db.get('files', key)];
  if (!file) {
    const detail = 'the file is lost; retries of its alerts go on';
    return repair.lost({ id: name.fileId, detail });
  }
  if (!item) {
    const detail = `its block ${key.sk} is lost; users who were alerted may be once more`;
    return repair.lost({ id: name.fileId, detail });
  }
  const block = readBlock(item);
  if (!block) return;
  const id = `${name.fileId} block ${block.number}`;
  const lost = unsettledPlaces(block).filter((it) => expected.has(it) && !found.has(it));
  if (lost.length > 0) {
    repair.lost({ id, detail: `the retries of its users at ${lost.join(', ')} are lost` });
    if (!repair.dryRun) await giveUp(world, { file, block, lost, id }, repair);
  }
  const unknown = [...found].filter((it) => !hasBit(block.retried, it));
  if (unknown.length === 0) return;
  const after = {
    ...block,
    attempted: withBits(block.attempted, unknown),
    retried: withBits(block.retried, unknown),
  };
  const writes = [saveRetried(name, { seen: block, block: after }, world.clock.nowMs())];
  await repairOne(world, repair, { what: 'block behind its deliveries', id, writes });
}

interface LostRetries {
  readonly file: AlertFile;
  readonly block: Block;
  readonly lost: readonly number[];
  readonly id: string;
}

/** Counts users as uncertain, with their file, so that it ends and a person may retry them. */
async function giveUp(
  world: Needs,
  { file, block, lost, id }: LostRetries,
  repair: TableRepair,
): Promise<void> {
  const settlements = lost.map((place) => ({ place, outcome: 'uncertain' as const }));
  try {
    await settleAlerts(file, { block, settlements }, world);
  } catch (error) {
    // The counts of the file are of another time than its block: they cannot hold these users.
    if (!(error instanceof Problem && error.code === 'busy')) throw error;
    repair.lost({ id, detail: 'its file counts fewer users as open than that' });
  }
}

function readBlock(item: Item): Block | undefined {
  try {
    return toBlock(item);
  } catch {
    return undefined;
  }
}
