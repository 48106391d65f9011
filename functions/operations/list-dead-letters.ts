import { route } from '../shared/http/route.ts';
import { toInstant } from '../shared/wire.ts';
import type { DeadLetter, ParkedName, World } from '../shared/world.ts';
import { listDeadLettersRoute } from './contract.ts';
import { isRedrivable, PARKED_NAMES, shownOf } from './dead-letter.ts';

/** GET /v1/admin/dead-letters. To look at a message counts as a receive, and does nothing else. */
export const listDeadLetters = route(
  listDeadLettersRoute,
  async ({ query }, world: Pick<World, 'deadLetters'>) => {
    const names = query.queue ? [query.queue] : PARKED_NAMES;
    return { body: { data: await Promise.all(names.map((it) => findDeadLetters(it, world))) } };
  },
);

/** The dead letters of one queue as the operator sees them. */
export async function findDeadLetters(
  queue: ParkedName,
  { deadLetters }: Pick<World, 'deadLetters'>,
) {
  const redrivable = isRedrivable(queue);
  const [{ depth, letters }, move] = await Promise.all([
    deadLetters.look(queue),
    redrivable ? deadLetters.lastMove(queue) : undefined,
  ]);
  return {
    object: 'dead_letter_queue' as const,
    queue,
    depth,
    redrivable,
    ...(move && { redrive: { ...move, startedAt: toInstant(move.startedAtMs) } }),
    messages: letters.map((it) => viewOf(queue, it)),
  };
}

function viewOf(queue: ParkedName, letter: DeadLetter) {
  const { id, sentAtMs, receives } = letter;
  const object = 'dead_letter' as const;
  return { id, object, queue, sentAt: toInstant(sentAtMs), receives, ...shownOf(letter) };
}
