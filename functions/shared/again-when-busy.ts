import { Problem } from './problem.ts';
import { SECOND_MS } from './units.ts';
import type { QueueName, World } from './world.ts';

type Handle<Message, Needs, Receipt> = (
  message: Message,
  world: Needs,
  receipt: Receipt,
) => Promise<unknown>;

/** When the message comes again: after this time, and up to as much more. */
const PAUSE_MS = 5 * SECOND_MS;

/**
 * A worker that sends its message anew, to this queue, when others or an outage keep it from its
 * work. How often a message was received tells then what our code failed on, and nothing else.
 * Everything else that is thrown passes, also the problem itself when the queue takes nothing.
 */
export function againWhenBusy<
  Message extends object,
  Needs extends Pick<World, 'clock' | 'ids' | 'log' | 'queues'>,
  Receipt,
>(queue: QueueName, handle: Handle<Message, Needs, Receipt>): Handle<Message, Needs, Receipt> {
  return async (message, world, receipt) => {
    try {
      await handle(message, world, receipt);
    } catch (error) {
      if (!(error instanceof Problem) || !BUSY.has(error.code)) throw error;
      const { clock, ids, log, queues } = world;
      const atMs = clock.nowMs() + PAUSE_MS * (1 + ids.random());
      const again = { body: { v: 1, ...message }, atMs, ...groupOf(message) };
      const refused = await queues.send(queue, [again]).catch(() => [0]);
      if (refused.length > 0) throw error;
      log.warn('message.again', { queue, problem: error.code, detail: error.message });
    }
  };
}

const BUSY: ReadonlySet<string> = new Set(['busy', 'unavailable']);

/** Fair among endpoints where the message names one, else among tenants. */
function groupOf(message: object): { readonly group?: string } {
  const { endpoint, tenant } = message as { readonly endpoint?: string; readonly tenant?: string };
  const group = endpoint ?? tenant;
  return group === undefined ? {} : { group };
}
