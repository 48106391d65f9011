import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { ACTIONS, queueOf, receivedView, type SqsContext, type SqsRequest } from './actions.ts';
import { answerCloudWatch, CLOUDWATCH_TARGET, CloudWatchError } from './cloudwatch.ts';
import { MoveTasks } from './move-tasks.ts';
import { type QueueStore, SqsError } from './store.ts';
import { Waiters } from './waiters.ts';

const RECEIVE_MAX = 10;

/**
 * Speaks the JSON protocol of SQS, and what CloudWatch tells of queues at the same address. The
 * caller listens, and closes the store afterwards.
 */
export function sqsServer(store: QueueStore): Server {
  const waiters = new Waiters();
  const moves = new MoveTasks(store, () => waiters.wakeAll());
  const parts = { store, waiters, moves };
  const server = createServer((request, response) => {
    answer(request, response, parts).catch((error) => refuse(response, error));
  });
  server.on('close', () => {
    moves.stop();
    waiters.wakeAll();
  });
  return server;
}

interface Parts {
  readonly store: QueueStore;
  readonly waiters: Waiters;
  readonly moves: MoveTasks;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { store, waiters, moves }: Parts,
): Promise<void> {
  const target = String(request.headers['x-amz-target'] ?? '');
  const body = JSON.parse((await text(request)) || '{}');
  if (target.startsWith(CLOUDWATCH_TARGET)) {
    const operation = target.slice(CLOUDWATCH_TARGET.length);
    return reply(response, 200, answerCloudWatch(operation, body, store));
  }
  const name = target.replace('AmazonSQS.', '');
  const context: SqsContext = {
    store,
    moves,
    urlOf: (queue) => `http://${request.headers.host}/000000000000/${queue}`,
    wake: (queue) => waiters.wake(queue),
  };
  if (name === 'ReceiveMessage') {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    return reply(response, 200, await receive(body, { store, waiters, gone: gone.signal }));
  }
  const action = ACTIONS[name];
  if (!action) throw new SqsError('InvalidAction', `The local SQS does not know "${name}".`);
  reply(response, 200, action(body, context));
}

/** A long poll ends with the first messages. A caller that has hung up gets nothing. */
async function receive(
  request: SqsRequest,
  { store, waiters, gone }: { store: QueueStore; waiters: Waiters; gone: AbortSignal },
): Promise<object> {
  const queue = queueOf(request);
  const max = Math.min(request.MaxNumberOfMessages ?? 1, RECEIVE_MAX);
  const settings = store.settings(queue);
  const waitSeconds = request.WaitTimeSeconds ?? Number(settings.ReceiveMessageWaitTimeSeconds);
  const untilMs = Date.now() + 1_000 * waitSeconds;
  while (!gone.aborted) {
    const messages = store.receive(queue, max, request.VisibilityTimeout);
    const leftMs = untilMs - Date.now();
    if (messages.length > 0 || leftMs <= 0) return { Messages: messages.map(receivedView) };
    await waiters.wait(queue, Math.min(leftMs, store.nextInMs(queue) ?? leftMs), gone);
  }
  return {};
}

function refuse(response: ServerResponse, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const known = error instanceof SqsError || error instanceof CloudWatchError;
  const service = error instanceof CloudWatchError ? 'cloudwatch' : 'sqs';
  const __type = `com.amazonaws.${service}#${known ? error.code : 'InternalError'}`;
  reply(response, known ? 400 : 500, { __type, message });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify(body));
}
