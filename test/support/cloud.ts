import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { type Snapshot, takeSnapshot } from './invariants/snapshot.ts';

/** What the shared cloud holds of one tenant, for the invariants. */
export async function snapshotOf(tenantId: string): Promise<Snapshot> {
  const { dynamodbUrl, tables } = inject('cloud');
  const client = new DynamoDBClient({
    endpoint: dynamodbUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const all = await takeSnapshot(client, tables);
  const isOwn = ({ pk, sk }: Item) => String(pk).startsWith(tenantId) || isEventOf(sk);
  const isEventOf = (sk: unknown) => String(sk).startsWith(`${tenantId}#`);
  return {
    ledger: all.ledger.filter(isOwn),
    outbox: all.outbox.filter(isOwn),
    endpoints: all.endpoints.filter(isOwn),
    deliveries: all.deliveries.filter(isOwn),
    files: all.files.filter(isOwn),
  };
}
