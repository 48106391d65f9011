import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { LocalCloud } from '../../local/local-cloud.ts';
import { checkInbox } from '../support/invariants/inbox.ts';
import { scanTable } from '../support/invariants/snapshot.ts';
import type { Promised } from './cloud-inbox.ts';

interface Asked {
  readonly tenantId: string;
  readonly promised: readonly Promised[];
}

/** What is wrong with the inbox of a soak, by what was promised and what is stored now. */
export async function auditInbox(
  cloud: LocalCloud,
  { tenantId, promised }: Asked,
): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  const inbox = await scanTable(client, cloud.table('inbox'));
  const outbox = await scanTable(client, cloud.table('outbox'), tenantId);
  const receipts = new Map(
    inbox.filter((it) => it.fp !== undefined).map((it) => [String(it.id), it]),
  );
  const events = Map.groupBy(outbox, ({ data }) => Object(JSON.parse(String(data))).receiptId);
  const byNumber = Map.groupBy(promised, ({ n }) => n);
  const faults = [...byNumber].flatMap(([n, answers]) => {
    const [id = '', ...others] = new Set(answers.map((it) => it.id));
    if (others.length > 0) return [`webhook ${n} has the receipts ${[id, ...others]}`];
    const status = receipts.get(id)?.status;
    if (status !== 'completed') return [`webhook ${n}, ${id}, is ${status ?? 'lost'}`];
    const count = events.get(id)?.length ?? 0;
    return count === 1 ? [] : [`webhook ${n}, ${id}, has ${count} events`];
  });
  const known = new Set(promised.map(({ id }) => id));
  const strange = [...receipts.keys()].filter((id) => !known.has(id));
  return [
    ...faults,
    ...strange.map((id) => `${id} was promised to nobody`),
    ...checkInbox({ inbox, outbox }),
  ];
}
