import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import type { ParkedName, World } from '../shared/world.ts';
import { dropDeadLetterRoute } from './contract.ts';

type Needs = Pick<World, 'clock' | 'deadLetters' | 'log'>;

/**
 * POST /v1/admin/dead-letters/drop. What they were about is still in the tables, if it ever was.
 * Refuses a message that is not there with `not_found`; of a time, none is an answer as well.
 */
export const dropDeadLetter = route(
  dropDeadLetterRoute,
  async ({ body, requestId }, world: Needs) => {
    const { queue, messageId, sentBefore, reason } = body;
    const gone =
      messageId === undefined
        ? await dropMany(queue, sentBefore ?? 0, world)
        : await dropOne(queue, messageId, world);
    if (gone.dropped !== 0) {
      world.log.warn('dead-letter.dropped', { queue, ...gone, reason, requestId });
    }
    const droppedAt = toInstant(world.clock.nowMs());
    return { body: { object: 'dropped_dead_letter' as const, queue, ...gone, reason, droppedAt } };
  },
);

async function dropOne(queue: ParkedName, messageId: string, { deadLetters }: Needs) {
  if (!(await deadLetters.drop(queue, messageId))) {
    throw new Problem('not_found', {
      detail: 'There is no such dead letter, or somebody else looks at it: try again.',
    });
  }
  return { messageId, dropped: undefined };
}

async function dropMany(queue: ParkedName, sentBeforeMs: number, { deadLetters }: Needs) {
  const dropped = await deadLetters.dropBefore(queue, sentBeforeMs);
  return { sentBefore: toInstant(sentBeforeMs), dropped };
}
