import type { QueueName, TableName } from '../shared/world.ts';

/** Each table with an index `due`, and the queue of the room that looks at what is due there. */
export const DUE_QUEUES = {
  deliveries: 'delivery-slow',
  endpoints: 'endpoint-care',
  files: 'file-care',
  ledger: 'hold-expiry',
  control: 'audits',
  tasks: 'tasks',
  inbox: 'inbox',
} as const satisfies Partial<Record<TableName, QueueName>>;

/** A table that is swept. */
export type SweptTable = keyof typeof DUE_QUEUES;

/** All of them; there is one, for schemas that want to know. */
export const SWEPT_TABLES = Object.keys(DUE_QUEUES) as [SweptTable, ...SweptTable[]];

/**
 * Among whom a queue is to be fair: endpoints where receivers can be slow, else tenants. An item
 * of a tenant lies under `<tenant>#…`, a delivery under `<tenant>#<endpoint>#…`.
 */
export function groupOf(table: SweptTable, pk: string): string {
  const [tenantId = pk, endpointId = tenantId] = pk.split('#');
  return table === 'deliveries' ? endpointId : tenantId;
}
