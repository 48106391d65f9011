import type { Message, QueueName, World } from '../shared/world.ts';

/**
 * Sends a message that only makes it quick: what it is about is on an index `due`, and the sweeper
 * finds it there when the message is lost. So its failure is only noted.
 */
export function tellQueue(
  queue: QueueName,
  message: Message,
  world: Pick<World, 'log' | 'queues'>,
): Promise<void> {
  return tellQueueAll(queue, [message], world);
}

/** The same for many messages, in as few calls as the queue allows. */
export async function tellQueueAll(
  queue: QueueName,
  messages: readonly Message[],
  { log, queues }: Pick<World, 'log' | 'queues'>,
): Promise<void> {
  if (messages.length === 0) return;
  try {
    await queues.send(queue, messages);
  } catch (error) {
    log.warn('message.lost', { queue, error });
  }
}
