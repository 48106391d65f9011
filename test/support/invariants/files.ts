import { hasBit } from '../../../functions/files/bitmap.ts';
import { toBlock } from '../../../functions/files/block.store.ts';
import { type Block, outcomeAt } from '../../../functions/files/block.ts';
import { fileNameOfKey, toFile } from '../../../functions/files/file.store.ts';
import { type AlertFile, NO_OUTCOMES, type Outcomes } from '../../../functions/files/file.ts';
import { outcomeOfDelivery } from '../../../functions/files/settle-alerts.ts';
import type { Item } from '../../../functions/shared/world.ts';
import { toDelivery } from '../../../functions/webhooks/delivery.store.ts';
import type { Delivery } from '../../../functions/webhooks/delivery.ts';
import type { Snapshot } from './snapshot.ts';

const FINAL = ['completed', 'failed', 'expired', 'cancelled'];

/** A block, and the id of its file. */
interface OwnedBlock {
  readonly fileId: string;
  readonly block: Block;
}

/**
 * F1 rows = alerts + duplicates + malformed, and alerts = delivered + failed + uncertain +
 * cancelled + pending; the outcomes are those in the bits of the blocks; a `retried` bit has a
 * delivery, a delivery of an alert has the bit, and both tell the same outcome. D1 a file that is
 * not at its end has `due`. O3 for a system at rest: every file is at its end. Answers one
 * sentence per violation.
 */
export function checkFiles(snapshot: Pick<Snapshot, 'files' | 'deliveries'>): string[] {
  const heads = snapshot.files.filter(({ sk }) => sk === '#');
  const blocks = snapshot.files.filter(({ sk }) => String(sk).startsWith('B#')).map(toOwned);
  const rows = snapshot.deliveries.filter(({ sk }) => !String(sk).includes('#')).map(toDelivery);
  return [
    ...heads.flatMap((item) => check(toFile(item), item)),
    ...heads.flatMap((item) => checkBits(toFile(item), blocks)),
    ...checkRetried(blocks, rows),
  ];
}

function toOwned(item: Item): OwnedBlock {
  return { fileId: fileNameOfKey({ pk: String(item.pk) }).fileId, block: toBlock(item) };
}

const placesIn = ({ users }: Block) => Array.from({ length: users }, (_, place) => place);

/** What a worker saw is counted with the end of its block, and a retry's end at once. */
function checkBits(file: AlertFile, blocks: readonly OwnedBlock[]): string[] {
  const mine = blocks.filter(({ fileId }) => fileId === file.id);
  const counted = mine.flatMap(({ block }) =>
    placesIn(block)
      .filter((place) => block.finished || hasBit(block.retried, place))
      .map((place) => outcomeAt(block, place)),
  );
  // Blocks of a cancelled file that nobody has begun have no item.
  const begun = mine.filter(({ block }) => block.finished);
  const untold = file.closed ? file.alerts - begun.reduce((sum, it) => sum + it.block.users, 0) : 0;
  const outcomes = Object.keys(NO_OUTCOMES) as (keyof Outcomes)[];
  return outcomes.flatMap((outcome) => {
    const bits =
      counted.filter((it) => it === outcome).length + (outcome === 'cancelled' ? untold : 0);
    if (bits === file[outcome]) return [];
    return [`F1 ${file.id} counts ${file[outcome]} ${outcome}, its blocks have ${bits}`];
  });
}

function checkRetried(blocks: readonly OwnedBlock[], deliveries: readonly Delivery[]): string[] {
  const nameOf = (fileId: string, block: number, place: number) => `${fileId} ${block}/${place}`;
  const rows = new Map(
    deliveries.flatMap((it) => {
      const origin = it.alert?.origin;
      return origin ? [[nameOf(origin.fileId, origin.block, origin.index), it] as const] : [];
    }),
  );
  const violations = blocks.flatMap(({ fileId, block }) =>
    placesIn(block).flatMap((place) => {
      const name = nameOf(fileId, block.number, place);
      const row = rows.get(name);
      rows.delete(name);
      return checkPlace(name, { row, isRetried: hasBit(block.retried, place) }, [block, place]);
    }),
  );
  return [...violations, ...[...rows.keys()].map((it) => `F1 the delivery of ${it} has no block`)];
}

function checkPlace(
  name: string,
  { row, isRetried }: { readonly row: Delivery | undefined; readonly isRetried: boolean },
  at: readonly [Block, number],
): string[] {
  if (isRetried !== (row !== undefined)) {
    return [isRetried ? `F1 ${name} is retried without a delivery` : `F1 ${name} has a delivery`];
  }
  const outcome = outcomeOfDelivery(row);
  // A person may have had it sent again after a success: that stays one.
  const known = outcomeAt(...at);
  if (!outcome || known === outcome || known === 'delivered') return [];
  return [`F1 ${name} is ${known}, its delivery ${outcome}`];
}

function check(file: AlertFile, item: Item): string[] {
  const { rows, alerts, duplicates, malformed } = file;
  const { delivered, failed, uncertain, cancelled, pending } = file;
  const violations: string[] = [];
  if (rows !== alerts + duplicates + malformed) {
    violations.push(`F1 ${file.id} has ${rows} rows, not ${alerts} + ${duplicates} + ${malformed}`);
  }
  const settled = delivered + failed + uncertain + cancelled;
  if (alerts !== settled + pending) {
    violations.push(`F1 ${file.id} has ${alerts} alerts, not ${settled} settled + ${pending}`);
  }
  const isFinal = FINAL.includes(file.state);
  if (!isFinal) violations.push(`O3 the file ${file.id} is ${file.state}`);
  if (isFinal === (item.duePk !== undefined)) {
    violations.push(`D1 ${file.id} is ${file.state} and ${isFinal ? 'still' : 'not'} due`);
  }
  if (file.state === 'completed' && pending !== 0) {
    violations.push(`F1 ${file.id} is completed with ${pending} pending`);
  }
  return violations;
}
