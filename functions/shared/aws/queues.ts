import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { lazily } from '../lazily.ts';
import { systemClock } from '../system.ts';
import { KIB, MINUTE_MS, SECOND_MS } from '../units.ts';
import type { Message, QueueName, Queues } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';
import { lean } from './lean.ts';

/** Quotas of SendMessageBatch; the size leaves room for attributes. */
const BATCH_MAX = 10;
const BATCH_BYTES_MAX = 250 * KIB;
/** Quota of DelaySeconds. */
const DELAY_MS_MAX = 15 * MINUTE_MS;

/** What SQS refuses in a message and JSON leaves as it is; a tenant's data may hold it. */
const UNSENDABLE = /[\ufffe\uffff]/g;
const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16)}`;

interface Entry {
  readonly index: number;
  readonly body: string;
  readonly delaySeconds: number;
  readonly group: string | undefined;
}

/** The World's queues on SQS. `urls` names the queues that this function may send to. */
export function openQueues(urls: Readonly<Partial<Record<QueueName, string>>>): Queues {
  // Made with the first message: making it takes time that a cold start has better use for.
  const client = lazily(() => lean(new SQSClient(PATIENCE)));
  return {
    async send(queue, messages) {
      const url = urls[queue];
      if (url === undefined) throw new Error(`this function may not send to ${queue}`);
      const batches = inBatches(messages.map(toEntry));
      const refused = await answered('queue', () =>
        Promise.all(batches.map((batch) => sendBatch(client(), url, batch))),
      );
      return refused.flat();
    },
  };
}

function toEntry(message: Message, index: number): Entry {
  const aheadMs = (message.atMs ?? 0) - systemClock.nowMs();
  if (aheadMs > DELAY_MS_MAX) throw new Error('a message may be at most 15 minutes ahead');
  return {
    index,
    body: JSON.stringify(message.body).replace(UNSENDABLE, escaped),
    // Rounded down: the consumer waits for the rest of the second, or comes early and is told.
    delaySeconds: Math.max(0, Math.floor(aheadMs / SECOND_MS)),
    group: message.group,
  };
}

function inBatches(entries: readonly Entry[]): Entry[][] {
  const batches: Entry[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.body);
    const last = batches.at(-1);
    if (last && last.length < BATCH_MAX && bytes + size <= BATCH_BYTES_MAX) {
      last.push(entry);
      bytes += size;
    } else {
      batches.push([entry]);
      bytes = size;
    }
  }
  return batches;
}

/** Resolves to the indexes that SQS refused; a call that fails as a whole throws. */
async function sendBatch(client: SQSClient, url: string, batch: readonly Entry[]) {
  const reply = await client.send(
    new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: batch.map(({ index, body, delaySeconds, group }) => ({
        Id: String(index),
        MessageBody: body,
        DelaySeconds: delaySeconds,
        MessageGroupId: group,
      })),
    }),
  );
  return (reply.Failed ?? []).map(({ Id }) => Number(Id));
}
