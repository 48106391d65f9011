import { describe, expect, it } from 'vitest';
import { againWhenBusy } from '../../functions/shared/again-when-busy.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { Message, QueueName } from '../../functions/shared/world.ts';
import { testClock } from '../support/world.ts';

/** The doors of a worker, and what it sends. */
function doors(refused: readonly number[] | Error = []) {
  const sent: (Message & { readonly queue: QueueName })[] = [];
  const log = () => undefined;
  const clock = testClock(1_000);
  const ids = {
    random: () => 0.5,
    next: () => 'req_1' as never,
    secretBytes: () => new Uint8Array(),
  };
  const queues = {
    async send(queue: QueueName, messages: readonly Message[]) {
      if (refused instanceof Error) throw refused;
      sent.push(...messages.map((it) => ({ ...it, queue })));
      return refused;
    },
  };
  return { clock, ids, log: { info: log, warn: log, error: log }, queues, sent };
}

const failing = (error: Error) => async () => {
  throw error;
};

describe('a worker that is kept from its work', () => {
  it.each([
    [{ tenant: 'ten_1', endpoint: 'end_1' }, 'end_1'],
    [{ tenant: 'ten_1' }, 'ten_1'],
    [{ pk: 'a', sk: 'b' }, undefined],
  ])('sends %j anew', async (message, group) => {
    for (const code of ['busy', 'unavailable'] as const) {
      const world = doors();
      await againWhenBusy('delivery-slow', failing(new Problem(code)))(message, world, undefined);
      expect(world.sent).toEqual([
        {
          queue: 'delivery-slow',
          body: { v: 1, ...message },
          atMs: 8_500,
          ...(group && { group }),
        },
      ]);
    }
  });

  it.each([
    ['a fault of ours', new Error('bug'), doors()],
    ['another problem', new Problem('not_found'), doors()],
    ['a queue that refuses', new Problem('busy'), doors([0])],
    ['a queue that is down', new Problem('busy'), doors(new Problem('unavailable'))],
  ])('fails with what it was thrown for: %s', async (_, error, world) => {
    const worker = againWhenBusy('file-care', failing(error));
    await expect(worker({ tenant: 'ten_1' }, world, undefined)).rejects.toBe(error);
  });
});
