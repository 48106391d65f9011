import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { type Snapshot, takeSnapshot } from './invariants/snapshot.ts';

/** What the shared cloud holds of these tenants, for the invariants. */
export async function snapshotOf(...tenantIds: readonly string[]): Promise<Snapshot> {
  const { dynamodbUrl, tables } = inject('cloud');
  const client = new DynamoDBClient({
    endpoint: dynamodbUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  return takeSnapshot(client, tables, (all) => ownOf(all, new Set(tenantIds)));
}

function ownOf(all: Snapshot, own: ReadonlySet<string>): Snapshot {
  const ownerOf = (key: unknown) => String(key).split('#', 1)[0] ?? '';
  const isOwn = ({ pk, sk }: Item) => own.has(ownerOf(pk)) || own.has(ownerOf(sk));
  // A source lies under its own id, because whoever sends to it names no tenant.
  const sources = new Set(
    all.inbox.filter(({ tenant }) => own.has(String(tenant))).map(({ pk }) => String(pk)),
  );
  return {
    ledger: all.ledger.filter(isOwn),
    statements: all.statements.filter(isOwn),
    outbox: all.outbox.filter(isOwn),
    endpoints: all.endpoints.filter(isOwn),
    deliveries: all.deliveries.filter(isOwn),
    files: all.files.filter(isOwn),
    tasks: all.tasks.filter(isOwn),
    inbox: all.inbox.filter((it) => isOwn(it) || sources.has(String(it.pk))),
  };
}
