import { route } from '../shared/http/route.ts';
import { makeCursor, openCursor } from '../shared/page.ts';
import { idOfPlace, placeOf, readByTime } from '../shared/time-list.ts';
import type { Item, World } from '../shared/world.ts';
import { replayFailedRoute } from './receipt.contract.ts';
import { findReceipts, receiptListings } from './receipt.store.ts';
import type { Receipt } from './receipt.ts';
import { sendReceiptAgain } from './send-receipt-again.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues' | 'secrets'>;

/** So many are opened by one call, and so many of them at once. */
const CALL_MAX = 100;
const AT_ONCE = 10;

/**
 * POST /v1/webhooks/replays: the oldest first. Safe to repeat: what is open again has not failed.
 * Which ones have is up to a second old.
 */
export const replayFailed = route(replayFailedRoute, async ({ tenantId, body }, world: Needs) => {
  const { cursor, ...filter } = body;
  const boundTo = [tenantId, 'failed-webhooks', JSON.stringify(filter)];
  const key = await world.secrets.read('cursor-key');
  const { items, next } = await readByTime(
    world.db,
    {
      table: 'inbox',
      index: 'listing',
      partitions: receiptListings(tenantId, 'failed'),
      ...{ fromMs: filter.from, toMs: filter.to, order: 'oldest first' },
    },
    {
      limit: CALL_MAX,
      after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
      pick: (rows) => pickFailed(rows, filter.sourceId, world),
    },
  );
  const replayed = await sendAll(items, world);
  const nextCursor = next && makeCursor({ at: next }, boundTo, key);
  return { body: { replayed, nextCursor, hasMore: nextCursor !== undefined } };
});

/** Answers how many: others may have opened some of them meanwhile. */
async function sendAll(failed: readonly Receipt[], world: Needs): Promise<number> {
  let count = 0;
  for (let start = 0; start < failed.length; start += AT_ONCE) {
    const some = failed.slice(start, start + AT_ONCE);
    const sent = await Promise.all(some.map((it) => sendReceiptAgain(it, it.replayKeys, world)));
    count += sent.filter((it) => it).length;
  }
  return count;
}

async function pickFailed(
  rows: readonly Item[],
  sourceId: string | undefined,
  world: Needs,
): Promise<(Receipt | undefined)[]> {
  const receipts = await findReceipts(world, rows);
  return rows.map((row) => {
    const receipt = receipts.get(idOfPlace(placeOf(row, { index: 'listing' })));
    const isOfSource = sourceId === undefined || receipt?.sourceId === sourceId;
    return receipt?.status === 'failed' && isOfSource ? receipt : undefined;
  });
}
