import type { World } from '../shared/world.ts';
import { receiptKey } from './receipt.store.ts';
import type { Receipt } from './receipt.ts';
import { receiptMessage } from './receipt-message.ts';

/**
 * Sends the message of a receipt. The sweeper finds a receipt without one too, only later, so that
 * a failure is only noted.
 */
export async function remindOfReceipt(
  { tenantId, id, nextAtMs }: Pick<Receipt, 'tenantId' | 'id' | 'nextAtMs'>,
  { log, queues }: Pick<World, 'log' | 'queues'>,
): Promise<void> {
  const { pk } = receiptKey(tenantId, id);
  try {
    const refused = await queues.send('inbox', [receiptMessage({ pk, dueMs: nextAtMs })]);
    if (refused.length > 0) log.warn('message.lost', { queue: 'inbox', receiptId: id });
  } catch (error) {
    log.warn('message.lost', { queue: 'inbox', receiptId: id, error });
  }
}
