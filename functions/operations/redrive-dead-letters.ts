import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { redriveDeadLettersRoute } from './contract.ts';
import { isRedrivable, WHY_NOT_REDRIVABLE } from './dead-letter.ts';
import { findDeadLetters } from './list-dead-letters.ts';

/**
 * POST /v1/admin/dead-letters/redrive. Refuses with `not_available` what no queue has sent, and
 * with `conflict` while an earlier move is running. Harmless to repeat: consumers claim.
 */
export const redriveDeadLetters = route(
  redriveDeadLettersRoute,
  async ({ body, requestId }, world: Pick<World, 'deadLetters' | 'log'>) => {
    const { queue, ratePerSecond } = body;
    if (!isRedrivable(queue)) {
      throw new Problem('not_available', { detail: WHY_NOT_REDRIVABLE[queue] });
    }
    const started = await world.deadLetters.moveBack(queue, ratePerSecond);
    if (!started) {
      throw new Problem('conflict', {
        detail: `The dead letters of ${queue} are being moved back already. Wait for its end.`,
      });
    }
    world.log.info('dead-letters.redriven', { queue, ratePerSecond, requestId });
    return { body: await findDeadLetters(queue, world) };
  },
);
