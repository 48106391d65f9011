import * as z from 'zod';
import { SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Write } from '../shared/world.ts';

/** Of which body a source must not take another one for a time, and what became of the first. */
export interface DuplicateMark {
  readonly sourceId: string;
  readonly sha256: string;
  readonly receiptId: `rcp_${string}`;
  readonly nowMs: number;
  readonly untilMs: number;
}

function markKey({ sourceId, sha256 }: Pick<DuplicateMark, 'sourceId' | 'sha256'>): Key {
  return { pk: sourceId, sk: `SAME#${sha256}` };
}

/** Goes with the receipt. Refused while the mark of another one holds. */
export function insertMark(mark: DuplicateMark): Write {
  const { receiptId, nowMs, untilMs } = mark;
  return {
    kind: 'put',
    table: 'inbox',
    condition: 'attribute_not_exists(pk) OR untilMs <= :now',
    values: { ':now': nowMs },
    item: {
      ...{ ...markKey(mark), v: 1, receipt: receiptId, untilMs },
      ttl: Math.ceil(untilMs / SECOND_MS),
    },
  };
}

/** The receipt that a mark names. */
export function receiptOfMark(item: Item): string {
  return z.object({ receipt: z.string() }).parse(item).receipt;
}

/** The receipt that has taken the same body, while its mark holds. */
export async function findMarked(
  db: Pick<Db, 'get'>,
  mark: DuplicateMark,
): Promise<string | undefined> {
  const item = await db.get('inbox', markKey(mark));
  return item && Number(item.untilMs) > mark.nowMs ? receiptOfMark(item) : undefined;
}
