import { findEvent } from '../events/event.store.ts';
import type { DeliveryState, RelayedEvent } from '../events/event.ts';
import { stateView } from '../events/event-view.ts';
import { readEach } from '../shared/form.ts';
import { route } from '../shared/http/route.ts';
import { countFitting, makeCursor, openCursor } from '../shared/page.ts';
import { Problem } from '../shared/problem.ts';
import { idOfPlace, placeOf, readByTime } from '../shared/time-list.ts';
import type { Item, World } from '../shared/world.ts';
import { findWholeBody } from './body.store.ts';
import { getWebhookBodyRoute, getWebhookRoute, listWebhooksRoute } from './receipt.contract.ts';
import { findReceipt, findReceipts, receiptListings } from './receipt.store.ts';
import { RECEIPT_STATES, type ReceiptState } from './receipt.ts';
import { receiptView } from './receipt-view.ts';

/** Deliveries belong to another room. */
export interface Deliveries {
  /** Where the deliveries of an event stand. */
  findStates(event: RelayedEvent): Promise<readonly DeliveryState[]>;
}

/** GET /v1/webhooks/{id}: strongly consistent, with one state per endpoint when it is completed. */
export const getWebhook = route(
  getWebhookRoute,
  async ({ tenantId, params }, world: Pick<World, 'clock' | 'db'> & Deliveries) => {
    const { clock, db } = world;
    const receipt = await findReceipt(db, { tenantId, id: params.id }, clock.nowMs());
    if (!receipt) throw new Problem('not_found');
    const { eventId } = receipt;
    const event = eventId && (await findEvent(db, tenantId, eventId));
    const deliveries = event && (await world.findStates(event)).map(stateView);
    return { body: { ...receiptView(receipt), deliveries: deliveries || undefined } };
  },
);

/** GET /v1/webhooks/{id}/body: one that is replayed for long may live longer than its body. */
export const getWebhookBody = route(
  getWebhookBodyRoute,
  async ({ tenantId, params }, { clock, db }: Pick<World, 'clock' | 'db'>) => {
    const receipt = await findReceipt(db, { tenantId, id: params.id }, clock.nowMs());
    if (!receipt) throw new Problem('not_found');
    const body = receipt.body ?? (await findWholeBody(db, receipt));
    if (!body) throw new Problem('not_found', { detail: 'Its body is not kept any more.' });
    // A stranger wrote it: no browser is to take it for a page of this host.
    const headers = { 'x-content-type-options': 'nosniff', 'content-disposition': 'attachment' };
    return { body, headers };
  },
);

/** Few may be of one source or state: so many are looked at at once. */
const ROWS_OF_SOME = 100;

type Listing = Pick<World, 'clock' | 'db' | 'log'>;

/** GET /v1/webhooks: which ones is up to a second old, what they are is not. */
export const listWebhooks = route(
  listWebhooksRoute,
  async ({ tenantId, query }, world: Listing & Pick<World, 'secrets'>) => {
    const { limit, cursor, ...filter } = query;
    const boundTo = [tenantId, 'webhooks', JSON.stringify(filter)];
    const key = await world.secrets.read('cursor-key');
    const isAll = filter.status === undefined && filter.sourceId === undefined;
    const { items, next } = await readByTime(
      world.db,
      { table: 'inbox', index: 'listing', partitions: partitionsOf(tenantId, filter.status) },
      {
        limit,
        after: cursor === undefined ? undefined : String(openCursor(cursor, boundTo, key).at),
        rows: isAll ? limit : ROWS_OF_SOME,
        pick: (rows) => pick(rows, filter, world),
      },
    );
    const views = items.map(({ view }) => view);
    const count = countFitting(views);
    const at = count < items.length ? items[count - 1]?.place : next;
    const nextCursor = at && makeCursor({ at }, boundTo, key);
    const data = views.slice(0, count);
    return { body: { data, nextCursor, hasMore: nextCursor !== undefined } };
  },
);

function partitionsOf(tenantId: string, status: ReceiptState | undefined): string[] {
  const states = status === undefined ? RECEIPT_STATES : [status];
  return [...new Set(states.flatMap((it) => receiptListings(tenantId, it)))];
}

interface Found {
  readonly view: ReturnType<typeof receiptView>;
  readonly place: string;
}

/** The receipts behind these rows; undefined for one that is not wanted, or unreadable. */
async function pick(
  rows: readonly Item[],
  filter: {
    readonly status?: ReceiptState | undefined;
    readonly sourceId?: string | undefined;
  },
  world: Listing,
): Promise<(Found | undefined)[]> {
  const receipts = await findReceipts(world, rows);
  const pickOne = (row: Item) => {
    const place = placeOf(row, { index: 'listing' });
    const receipt = receipts.get(idOfPlace(place));
    const isWanted =
      (filter.status === undefined || receipt?.status === filter.status) &&
      (filter.sourceId === undefined || receipt?.sourceId === filter.sourceId);
    return receipt && isWanted ? { view: receiptView(receipt), place } : undefined;
  };
  return readEach(rows, pickOne, world);
}
