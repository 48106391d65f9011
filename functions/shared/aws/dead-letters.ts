import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  type ListMessageMoveTasksResultEntry,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from '@aws-sdk/client-sqs';
import { lazily } from '../lazily.ts';
import type { DeadLetter, DeadLetterMove, DeadLetters, ParkedName, QueueName } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';

/** Quota of ReceiveMessage. */
const BATCH_MAX = 10;
/** So many are looked through for those that are to be dropped. */
const LOOKED_THROUGH_MAX = 1_000;
/** Longer than an API function lives: what it has in its hands is hidden from others. */
const HIDDEN_SECONDS = 30;
/** Asks all servers of SQS: else a queue with few messages may look empty. */
const WAIT_SECONDS = 1;

/**
 * The World's dead letters on SQS. `urls` names those that this function may care for, `sources`
 * the queues that they belong to.
 */
export function openDeadLetters(
  urls: Readonly<Record<ParkedName, string>>,
  sources: Readonly<Record<QueueName, string>>,
): DeadLetters {
  const client = lazily(() => new SQSClient(PATIENCE));
  const ask = <Reply>(call: (sqs: SQSClient) => Promise<Reply>): Promise<Reply> =>
    answered('queue', () => call(client()));

  return {
    dueOf: (name) => ask(async (sqs) => (await attributesOf(sqs, sources[name])).due),
    depthOf: (name) => ask(async (sqs) => (await attributesOf(sqs, sources[name])).depth),
    parkedDepthOf: (name) => ask(async (sqs) => (await attributesOf(sqs, urls[name])).depth),
    look: (name) => ask((sqs) => look(sqs, urls[name])),
    lastMove: (name) => ask((sqs) => lastMove(sqs, urls[name])),
    moveBack: (name, perSecond) =>
      ask((sqs) => moveBack(sqs, urls[name], { source: sources[name], perSecond })),
    drop: async (name, id) => {
      const isWanted = (it: DeadLetter) => it.id === id;
      return (await ask((sqs) => drop(sqs, urls[name], { isWanted, most: 1 }))) > 0;
    },
    dropBefore: (name, sentBeforeMs) => {
      const isWanted = (it: DeadLetter) => it.sentAtMs < sentBeforeMs;
      return ask((sqs) => drop(sqs, urls[name], { isWanted, most: LOOKED_THROUGH_MAX }));
    },
  };
}

async function look(sqs: SQSClient, url: string) {
  const { depth } = await attributesOf(sqs, url);
  const found = depth > 0 ? await receive(sqs, url, 0) : [];
  return { depth, letters: found.map(toLetter) };
}

async function attributesOf(sqs: SQSClient, QueueUrl: string) {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({
      QueueUrl,
      AttributeNames: [
        'QueueArn',
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ],
    }),
  );
  const { QueueArn: arn, ApproximateNumberOfMessages: visible } = Attributes;
  const { ApproximateNumberOfMessagesNotVisible: hidden } = Attributes;
  const { ApproximateNumberOfMessagesDelayed: delayed } = Attributes;
  const due = Number(visible ?? 0) + Number(hidden ?? 0);
  return { arn, due, depth: due + Number(delayed ?? 0) };
}

async function receive(sqs: SQSClient, QueueUrl: string, VisibilityTimeout: number) {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl,
      VisibilityTimeout,
      MaxNumberOfMessages: BATCH_MAX,
      WaitTimeSeconds: WAIT_SECONDS,
      MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
    }),
  );
  return Messages;
}

function toLetter({ MessageId = '', Body = '', Attributes = {} }: Message): DeadLetter {
  return {
    id: MessageId,
    body: Body,
    sentAtMs: Number(Attributes.SentTimestamp ?? 0),
    receives: Number(Attributes.ApproximateReceiveCount ?? 0),
  };
}

async function lastMove(sqs: SQSClient, url: string): Promise<DeadLetterMove | undefined> {
  const { arn: SourceArn } = await attributesOf(sqs, url);
  const { Results = [] } = await sqs.send(
    new ListMessageMoveTasksCommand({ SourceArn, MaxResults: 1 }),
  );
  return Results[0] && toMove(Results[0]);
}

function toMove(task: ListMessageMoveTasksResultEntry): DeadLetterMove {
  return {
    status: String(task.Status).toLowerCase() as DeadLetterMove['status'],
    startedAtMs: task.StartedTimestamp ?? 0,
    moved: task.ApproximateNumberOfMessagesMoved ?? 0,
    total: task.ApproximateNumberOfMessagesToMove,
    error: task.FailureReason,
  };
}

interface Move {
  readonly source: string;
  readonly perSecond: number | undefined;
}

/**
 * The queue is named to SQS, which cannot tell where a message belongs that was put among the dead
 * letters directly, as the sweeper does.
 */
async function moveBack(
  sqs: SQSClient,
  url: string,
  { source, perSecond }: Move,
): Promise<boolean> {
  const { arn: SourceArn } = await attributesOf(sqs, url);
  const DestinationArn = SourceArn?.replace(/[^:]+$/, source.replace(/^.*\//, ''));
  const order = { SourceArn, DestinationArn, MaxNumberOfMessagesPerSecond: perSecond };
  try {
    await sqs.send(new StartMessageMoveTaskCommand(order));
    return true;
  } catch (error) {
    // SQS has one error for everything that is wrong with such an order.
    if ((await lastMove(sqs, url))?.status === 'running') return false;
    throw error;
  }
}

interface Search {
  isWanted(letter: DeadLetter): boolean;
  readonly most: number;
}

/**
 * How many it has deleted. There is no read by id or time: they are received until they come by,
 * and the others are given back.
 */
async function drop(sqs: SQSClient, url: string, { isWanted, most }: Search): Promise<number> {
  const others: Message[] = [];
  let dropped = 0;
  try {
    while (dropped < most && dropped + others.length < LOOKED_THROUGH_MAX) {
      const found = await receive(sqs, url, HIDDEN_SECONDS);
      if (found.length === 0) break;
      const wanted = found.filter((it) => isWanted(toLetter(it)));
      others.push(...found.filter((it) => !wanted.includes(it)));
      dropped += await deleteAll(sqs, url, wanted);
    }
  } catch (error) {
    // What is gone is to be told; whoever asks for more meets the error again.
    if (dropped === 0) throw error;
  } finally {
    // Nobody needs to hear of a failure: what is deleted is deleted.
    await giveBack(sqs, url, others).catch(() => undefined);
  }
  return dropped;
}

/** How many: what SQS refuses comes back after half a minute. */
async function deleteAll(sqs: SQSClient, QueueUrl: string, messages: readonly Message[]) {
  if (messages.length === 0) return 0;
  const Entries = messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
  const { Successful = [] } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  return Successful.length;
}

/** What is not given back by this comes back by itself after half a minute. */
async function giveBack(sqs: SQSClient, QueueUrl: string, messages: readonly Message[]) {
  for (let first = 0; first < messages.length; first += BATCH_MAX) {
    const Entries = messages.slice(first, first + BATCH_MAX).map(({ ReceiptHandle }, at) => ({
      Id: String(at),
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  }
}
