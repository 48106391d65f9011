import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { dropDeadLetterRoute } from './contract.ts';

/** POST /v1/admin/dead-letters/drop. What it was about is still in the tables, if it ever was. */
export const dropDeadLetter = route(
  dropDeadLetterRoute,
  async ({ body, requestId }, world: Pick<World, 'clock' | 'deadLetters' | 'log'>) => {
    const { queue, messageId, reason } = body;
    const dropped = await world.deadLetters.drop(queue, messageId);
    if (!dropped) {
      throw new Problem('not_found', {
        detail: 'There is no such dead letter, or somebody else looks at it: try again.',
      });
    }
    world.log.warn('dead-letter.dropped', { queue, messageId, reason, requestId });
    const droppedAt = toInstant(world.clock.nowMs());
    return {
      body: { object: 'dropped_dead_letter' as const, queue, messageId, reason, droppedAt },
    };
  },
);
