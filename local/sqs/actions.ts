import type { MoveOrder, MoveTasks } from './move-tasks.ts';
import type { ReceivedMessage } from './store.ts';
import { md5, type NewMessage, type QueueStore, SqsError } from './store.ts';

/** A request as the JSON protocol of SQS carries it. Its fields are checked where they are used. */
export interface SqsRequest extends MoveOrder {
  readonly QueueUrl?: string;
  readonly QueueName?: string;
  readonly QueueNamePrefix?: string;
  readonly Attributes?: Readonly<Record<string, string>>;
  readonly Entries?: readonly SqsEntry[];
  readonly MaxNumberOfMessages?: number;
  readonly VisibilityTimeout?: number;
  readonly WaitTimeSeconds?: number;
  readonly TaskHandle?: string;
  readonly MaxResults?: number;
}

/** One message of a batch, or the fields of the call for a single message. */
interface SqsEntry {
  readonly Id?: string;
  readonly MessageBody?: string;
  readonly MessageAttributes?: unknown;
  readonly MessageGroupId?: string;
  readonly DelaySeconds?: number;
  readonly ReceiptHandle?: string;
  readonly VisibilityTimeout?: number;
}

/** What an action needs to know besides the request. */
export interface SqsContext {
  readonly store: QueueStore;
  readonly moves: MoveTasks;
  readonly urlOf: (queue: string) => string;
  /** A queue has got new messages. */
  readonly wake: (queue: string) => void;
}

type Action = (request: SqsRequest & SqsEntry, context: SqsContext) => object;

/** SQS refuses more in one call, body and batch alike. */
export const BATCH_BYTES_MAX = 1_048_576;
const BATCH_ENTRIES_MAX = 10;
const DELAY_SECONDS_MAX = 900;

/** The queue of a URL, whichever address and port this cloud had when the URL was made. */
export function queueOf({ QueueUrl }: SqsRequest): string {
  const name = QueueUrl?.split('/').at(-1);
  if (!name) throw new SqsError('InvalidParameterValueException', 'QueueUrl is required.');
  return name;
}

/** Every action but ReceiveMessage, which may have to wait. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  CreateQueue({ QueueName = '', Attributes = {} }, { store, urlOf }) {
    if (Attributes.FifoQueue === 'true') {
      throw new SqsError('UnsupportedOperation', 'The local cloud has standard queues only.');
    }
    store.createQueue(QueueName, Attributes);
    return { QueueUrl: urlOf(QueueName) };
  },
  DeleteQueue(request, { store }) {
    store.deleteQueue(queueOf(request));
    return {};
  },
  GetQueueUrl({ QueueName = '' }, { store, urlOf }) {
    store.settings(QueueName);
    return { QueueUrl: urlOf(QueueName) };
  },
  ListQueues({ QueueNamePrefix = '' }, { store, urlOf }) {
    const names = store.queueNames().filter((name) => name.startsWith(QueueNamePrefix));
    return { QueueUrls: names.map(urlOf) };
  },
  GetQueueAttributes: (request, { store }) => ({ Attributes: store.attributes(queueOf(request)) }),
  SetQueueAttributes(request, { store }) {
    store.settings(queueOf(request));
    store.createQueue(queueOf(request), request.Attributes ?? {});
    return {};
  },
  PurgeQueue(request, { store }) {
    store.purge(queueOf(request));
    return {};
  },
  SendMessage(request, context) {
    const [sent] = sendAll(queueOf(request), [request], context);
    return sent ?? {};
  },
  SendMessageBatch: (request, context) => ({
    Successful: sendAll(queueOf(request), entriesOf(request), context),
    Failed: [],
  }),
  DeleteMessage(request, { store }) {
    store.remove(queueOf(request), request.ReceiptHandle ?? '');
    return {};
  },
  DeleteMessageBatch: (request, { store }) =>
    forEach(entriesOf(request), ({ ReceiptHandle = '' }) =>
      store.remove(queueOf(request), ReceiptHandle),
    ),
  ChangeMessageVisibility(request, { store, wake }) {
    store.changeVisibility(queueOf(request), request.ReceiptHandle ?? '', secondsOf(request));
    wake(queueOf(request));
    return {};
  },
  ChangeMessageVisibilityBatch(request, { store, wake }) {
    const result = forEach(entriesOf(request), (entry) =>
      store.changeVisibility(queueOf(request), entry.ReceiptHandle ?? '', secondsOf(entry)),
    );
    wake(queueOf(request));
    return result;
  },
  StartMessageMoveTask: (request, { moves }) => ({ TaskHandle: moves.start(request) }),
  ListMessageMoveTasks: ({ SourceArn = '', MaxResults = 1 }, { moves }) => ({
    Results: moves.list(SourceArn).slice(0, MaxResults),
  }),
  CancelMessageMoveTask: ({ TaskHandle = '' }, { moves }) => ({
    ApproximateNumberOfMessagesMoved: moves.cancel(TaskHandle),
  }),
};

const secondsOf = ({ VisibilityTimeout }: SqsEntry): number => VisibilityTimeout ?? 0;

function entriesOf({ Entries = [] }: SqsRequest): readonly SqsEntry[] {
  if (Entries.length === 0) throw new SqsError('EmptyBatchRequest', 'The batch is empty.');
  if (Entries.length > BATCH_ENTRIES_MAX) {
    throw new SqsError('TooManyEntriesInBatchRequest', 'A batch has at most 10 entries.');
  }
  if (new Set(Entries.map(({ Id }) => Id)).size < Entries.length) {
    throw new SqsError('BatchEntryIdsNotDistinct', 'Two entries have the same Id.');
  }
  return Entries;
}

/** Each entry for itself: what SQS refuses of one does not touch its neighbours. */
function forEach(entries: readonly SqsEntry[], act: (entry: SqsEntry) => void): object {
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    try {
      act(entry);
      Successful.push({ Id: entry.Id });
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push({ Id: entry.Id, SenderFault: true, Code: error.code, Message: error.message });
    }
  }
  return { Successful, Failed };
}

function sendAll(queue: string, entries: readonly SqsEntry[], context: SqsContext): object[] {
  const messages = entries.map(messageOf);
  const bytes = messages.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  if (bytes > BATCH_BYTES_MAX) {
    throw new SqsError('BatchRequestTooLong', `A request holds at most ${BATCH_BYTES_MAX} bytes.`);
  }
  const ids = context.store.send(queue, messages);
  context.wake(queue);
  return entries.map(({ Id, MessageBody = '' }, i) => ({
    Id,
    MessageId: ids[i],
    MD5OfMessageBody: md5(MessageBody),
  }));
}

/** What is not among #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF. */
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;

function messageOf(entry: SqsEntry): NewMessage {
  const { MessageBody, DelaySeconds, MessageGroupId, MessageAttributes } = entry;
  if (!MessageBody) throw new SqsError('InvalidParameterValueException', 'MessageBody is empty.');
  if (FORBIDDEN.test(MessageBody)) {
    throw new SqsError('InvalidMessageContents', 'A character of MessageBody is not allowed.');
  }
  if (DelaySeconds !== undefined && !(DelaySeconds >= 0 && DelaySeconds <= DELAY_SECONDS_MAX)) {
    throw new SqsError('InvalidParameterValueException', 'DelaySeconds must be 0 to 900.');
  }
  return {
    body: MessageBody,
    group: MessageGroupId,
    delaySeconds: DelaySeconds,
    ...(MessageAttributes === undefined ? {} : { attributes: MessageAttributes }),
  };
}

/** A message as ReceiveMessage answers it, with all system attributes. */
export function receivedView(message: ReceivedMessage): object {
  return {
    MessageId: message.message_id,
    ReceiptHandle: message.receipt,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: {
      SenderId: '000000000000',
      SentTimestamp: String(message.sent_ms),
      ApproximateReceiveCount: String(message.receives),
      ApproximateFirstReceiveTimestamp: String(message.first_receive_ms),
      ...(message.group_id === null ? {} : { MessageGroupId: message.group_id }),
    },
    ...(message.attributes === null ? {} : { MessageAttributes: JSON.parse(message.attributes) }),
  };
}
