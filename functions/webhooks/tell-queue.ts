import type { Message, QueueName, World } from '../shared/world.ts';

/**
 * Sends a message that only makes it quick: what it is about is on an index `due`, and the sweeper
 * finds it there when the message is lost. So its failure is only noted.
 */
export async function tellQueue(
  queue: QueueName,
  message: Message,
  { log, queues }: Pick<World, 'log' | 'queues'>,
): Promise<void> {
  try {
    await queues.send(queue, [message]);
  } catch (error) {
    log.warn('message.lost', { queue, error });
  }
}
