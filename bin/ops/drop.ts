import { Instant, toInstant } from '../../functions/shared/wire.ts';
import type { ApiCaller } from './api-caller.ts';
import { type Command, type Desk, type Given, type Outcome, Refusal } from './command.ts';
import { dropBefore, dropOne, findQueue } from './dead-letter-queue.ts';

/** Deletes dead letters that would fail again. */
export const drop: Command = {
  name: 'drop',
  form: '<queue> <message id>|--all [--before TIME] --reason TEXT',
  help: [
    '--reason TEXT    why; it is written to the log (dead-letter.dropped)',
    '--all            each one that was sent before this command began, or …',
    '--before TIME    … before then, such as 2026-11-21T10:00:00Z. Of unprojected only what was',
    '                 there when a rebuild began is made good by it, so it has to be named',
    'Only for what cannot be handled, or is about nothing. Its object stays in the tables.',
    'With --all it ends with code 1 while the queue has others.',
  ],
  flags: { reason: 'string', all: 'boolean', before: 'string' },
  wordsMax: 2,
  async run(given, desk) {
    const [name, messageId] = given.words;
    const reason = given.text('reason');
    if (reason === undefined) throw new Refusal('say why: --reason TEXT');
    if (given.has('all') === (messageId !== undefined)) {
      throw new Refusal('name one message, or all of them by --all');
    }
    const sentBefore = beforeOf(given, desk);
    const admin = await desk.at.admin();
    const { queue, depth } = await findQueue(admin, name);
    if (given.has('dry-run')) {
      const before = given.text('before') ? `, if sent before ${sentBefore},` : '';
      const all = `all ${depth}${before} would be deleted`;
      const one = `${messageId} would be deleted, if it is there`;
      desk.print(`${queue}: ${messageId === undefined ? all : one}: ${reason}`);
      return 'done';
    }
    if (messageId === undefined) return dropAll(admin, { queue, sentBefore, reason }, desk);
    await dropOne(admin, queue, { messageId, reason });
    desk.print(`${queue}: ${messageId} is deleted`);
    return 'done';
  },
};

/** Refuses what says no time, and a time that no message is chosen by. */
function beforeOf(given: Given, { clock }: Desk): string {
  const before = given.text('before');
  if (before === undefined) {
    if (given.has('all') && given.words[0] === 'unprojected') {
      throw new Refusal('say when the rebuild began: --before TIME');
    }
    return toInstant(clock.nowMs());
  }
  if (!given.has('all')) throw new Refusal('--before goes with --all');
  if (!Instant.safeParse(before).success) {
    throw new Refusal('--before is a time such as 2026-11-21T10:00:00Z');
  }
  return before;
}

interface Order {
  readonly queue: string;
  readonly sentBefore: string;
  readonly reason: string;
}

async function dropAll(admin: ApiCaller, order: Order, { print, note }: Desk): Promise<Outcome> {
  const { queue } = order;
  let dropped = 0;
  for (let more = await dropBefore(admin, order); more > 0; more = await dropBefore(admin, order)) {
    dropped += more;
    note(`${queue}: ${dropped} deleted …`);
  }
  // The depth is an estimate of SQS, up to a minute old: what can be received says more.
  const { depth, messages } = await findQueue(admin, queue);
  const isEmpty = messages.length === 0;
  print(`${queue}: ${dropped} deleted${isEmpty ? '' : `, about ${depth} are left`}`);
  return isEmpty ? 'done' : 'person';
}
