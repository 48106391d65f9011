import { pagesOf } from '../../functions/shared/page.ts';
import type { Db, Query } from '../../functions/shared/world.ts';
import {
  DELIVERY_SHARDS,
  deliveryPartition,
  nameOfKey,
  openPartition,
} from '../../functions/webhooks/delivery.store.ts';
import { type DeliveryStatus, isFinal } from '../../functions/webhooks/delivery.ts';
import { isRow } from '../support/invariants/deliveries.ts';

/** The deliveries of some endpoints. */
export interface Stored {
  readonly db: Pick<Db, 'query'>;
  readonly tenantId: string;
  readonly endpointIds: readonly string[];
}

/** How many deliveries are not at their end, and which endpoints hold some. */
export interface Look {
  readonly open: number;
  readonly held: ReadonlySet<string>;
}

const WAITING = ['held', 'waiting', 'retrying'] as const;
const SHARDS = Array.from({ length: DELIVERY_SHARDS }, (_, shard) => shard);

/** What waits is on an index, so that this costs little however much there is at its end. */
export async function lookAtWaiting({ db, tenantId, endpointIds }: Stored): Promise<Look> {
  let open = 0;
  const held = new Set<string>();
  for (const endpointId of endpointIds) {
    const look = async (status: (typeof WAITING)[number], shard: number) => {
      const pk = openPartition({ tenantId, endpointId }, status, shard);
      for await (const items of pagesOf(db, { table: 'deliveries', index: 'open', pk })) {
        open += items.length;
        if (status === 'held' && items.length > 0) held.add(endpointId);
      }
    };
    await Promise.all(WAITING.flatMap((status) => SHARDS.map((shard) => look(status, shard))));
  }
  return { open, held };
}

/**
 * The same for all that is stored, one partition after the other: for each page of a scan the local
 * engine sorts the whole table, and everything else waits for that.
 */
export async function lookAtAll({
  db,
  tenantId,
  endpointIds,
}: Stored): Promise<Look & { readonly rows: number }> {
  let [rows, open] = [0, 0];
  const held = new Set<string>();
  const pks = endpointIds.flatMap((it) =>
    SHARDS.map((shard) => deliveryPartition(tenantId, it, shard)),
  );
  for (const pk of pks) {
    const query: Query = { table: 'deliveries', pk };
    for await (const items of pagesOf(db, query)) {
      for (const { sk, status } of items.filter(isRow)) {
        rows += 1;
        if (!isFinal({ status: status as DeliveryStatus })) open += 1;
        if (status === 'held') held.add(nameOfKey({ pk, sk: String(sk) }).endpointId);
      }
    }
  }
  return { rows, open, held };
}
