import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { openDb } from '../../functions/shared/aws/db.ts';
import type { Db, Item, Key } from '../../functions/shared/world.ts';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { scanPages } from '../support/invariants/snapshot.ts';

type Table = 'outbox' | 'deliveries';

/** What is stored of a soak, to be read piece by piece: the whole fits into no memory. */
export interface Tables {
  pages(table: Table): AsyncIterable<readonly Item[]>;
  /** What lies under these keys, of those that there are. */
  find(table: Table, keys: readonly Key[]): Promise<Item[]>;
}

/** The tables of a running cloud, and what reads parts of them. */
export function openTables(
  cloud: LocalCloud,
  tenantIds: readonly string[],
): Tables & { readonly db: Pick<Db, 'query'> } {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const tables = { outbox: cloud.table('outbox'), deliveries: cloud.table('deliveries') };
  const db = openDb({ client, tables });
  return {
    db,
    pages: (table) => scanPages(client, tables[table], ...tenantIds),
    async find(table, keys) {
      const found = await db.getAll(keys.map((key) => ({ table, ...key })));
      return found.filter((it) => it !== undefined);
    },
  };
}
