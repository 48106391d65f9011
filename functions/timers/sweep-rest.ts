import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type RestMessage, restMessage } from './rest-message.ts';
import { sendDue } from './send-due.ts';
import { listDue } from './sweep.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'queues'>;

/** A page of the index can have thousands of entries. */
const PART = 1_250;
/** For the last part that was begun. */
const ENDING_MS = 15 * SECOND_MS;

/**
 * Sends the messages of what is due in the rest of a shard, oldest first. What is left when its
 * time ends is handed on. Fails where a queue takes nothing: the same message comes again, or a
 * tick finds what is overdue.
 */
export async function sweepRest(
  { table, partition, from }: RestMessage,
  world: Needs,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<void> {
  const stopMs = deadlineMs - ENDING_MS;
  let sent = 0;
  for await (const { entries } of listDue(world.db, { table, partition, from })) {
    for (let start = 0; start < entries.length; start += PART) {
      const part = entries.slice(start, start + PART);
      const taken = await sendDue(table, part, { ...world, nowMs: world.clock.nowMs(), stopMs });
      sent += taken;
      const left = part[taken];
      if (!left) continue;
      if (world.clock.nowMs() >= stopMs) {
        return handOn({ table, partition, from: left.dueSk }, world);
      }
      throw new Error(`a queue did not take what is due in ${partition}`);
    }
  }
  world.log.info('rest.swept', { table, partition, sent });
}

async function handOn(rest: RestMessage, { queues }: Needs): Promise<void> {
  const refused = await queues.send('sweeps', [restMessage(rest)]);
  if (refused.length > 0) throw new Error(`the rest of ${rest.partition} was not handed on`);
}
