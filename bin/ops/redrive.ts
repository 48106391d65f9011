import type { ApiCaller } from './api-caller.ts';
import { type Command, type Desk, Refusal } from './command.ts';
import { type DeadLetterQueue, findQueue, listQueues, moveBack } from './dead-letter-queue.ts';

const POLL_MS = 1_000;
/** More SQS does not take. */
const RATE_MAX = 500;

/** Sends dead letters to their queue again. */
export const redrive: Command = {
  name: 'redrive',
  form: '<queue>|all',
  help: [
    '--rate N         so many a second (1 to 500); as fast as SQS can if absent',
    'It waits for the end. What was handled already does nothing, so it may be repeated.',
  ],
  flags: { rate: 'string' },
  wordsMax: 1,
  async run(given, desk) {
    const [name] = given.words;
    const rate = given.count('rate');
    if (rate && rate > RATE_MAX) throw new Refusal(`--rate is ${RATE_MAX} at most`);
    const admin = await desk.at.admin();
    const queues =
      name === 'all'
        ? (await listQueues(admin)).filter((it) => it.redrivable && it.depth > 0)
        : [redrivable(await findQueue(admin, name))];
    if (queues.length === 0) desk.print('no queue has dead letters that can be sent again');
    for (const { queue, depth } of queues) {
      if (depth === 0) desk.print(`${queue}: no dead letters`);
      else if (given.has('dry-run')) desk.print(`${queue}: ${depth} would be sent again`);
      else await move(admin, { queue, rate }, desk);
    }
    return 'done';
  },
};

function redrivable(queue: DeadLetterQueue): DeadLetterQueue {
  if (queue.redrivable) return queue;
  throw new Refusal(
    `${queue.queue} holds positions in the event stream, which cannot be sent again: ` +
      'see "A dead-letter queue is not empty" in docs/runbook.md',
  );
}

async function move(
  admin: ApiCaller,
  { queue, rate }: { readonly queue: string; readonly rate: number | undefined },
  { print, note, sleep }: Desk,
): Promise<void> {
  let latest = (await moveBack(admin, queue, rate)).redrive;
  while (latest?.status === 'running') {
    note(`${queue}: ${latest.moved} of ${latest.total ?? '?'} …`);
    await sleep(POLL_MS);
    latest = (await findQueue(admin, queue)).redrive;
  }
  if (latest && latest.status !== 'completed') {
    throw new Refusal(`${queue}: ${latest.status} after ${latest.moved}: ${latest.error ?? '-'}`);
  }
  print(`${queue}: ${latest?.moved ?? 0} sent again`);
}
