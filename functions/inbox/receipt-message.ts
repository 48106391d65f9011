import * as z from 'zod';
import type { Message } from '../shared/world.ts';

/** A message that looks at a receipt: the sweeper's, or the one that is sent when it is stored. */
export const ReceiptMessage = z.object({ pk: z.string(), dueMs: z.number() });

export type ReceiptMessage = z.output<typeof ReceiptMessage>;

/** Looks at the receipt at this time. */
export function receiptMessage({ pk, dueMs }: ReceiptMessage): Message {
  // Fair among tenants, however many webhooks one of them gets.
  const [tenantId = pk] = pk.split('#', 1);
  return { body: { v: 1, pk, sk: '#', dueMs }, atMs: dueMs, group: tenantId };
}
