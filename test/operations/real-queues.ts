import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { PARKED_NAMES } from '../../functions/operations/dead-letter.ts';
import { PATIENCE } from '../../functions/shared/aws/answered.ts';
import { openDeadLetters } from '../../functions/shared/aws/dead-letters.ts';
import { openQueueAges } from '../../functions/shared/aws/queue-ages.ts';
import type { QueueAges } from '../../functions/shared/queue-ages.ts';
import type { DeadLetters, ParkedName } from '../../functions/shared/world.ts';
import { closeServer } from '../../local/engines/engine.ts';
import { listenExactly } from '../../local/http/listen.ts';
import { sqsServer } from '../../local/sqs/server.ts';
import { QUEUE_ARN_PREFIX, QueueStore } from '../../local/sqs/store.ts';

/** Those that have dead letters of a stream, and no queue of their own. */
export const STREAMS = ['unrelayed', 'unprojected'];

/** All queues with their dead letters, on the SQS of the local cloud. */
export interface RealQueues {
  readonly store: QueueStore;
  readonly deadLetters: DeadLetters;
  readonly queueAges: QueueAges;
  /** The operations that were asked of them, such as `AmazonSQS.SendMessage`. */
  readonly asked: readonly string[];
  /** Operations that are answered with 500 from now on. */
  readonly failing: Set<string>;
  /** Stops SQS; `close` needs it no more. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

// Who is stopped for seconds gets the answer all the same: asking again would change it.
Object.assign(PATIENCE.requestHandler, { connectionTimeout: 0, requestTimeout: 0 });

const parkOf = (name: ParkedName) => `${name}-parked`;

/** Starts them. The environment names the server until `vi.unstubAllEnvs()`. */
export async function openRealQueues(): Promise<RealQueues> {
  const dir = mkdtempSync(join(tmpdir(), 'queues-'));
  const store = new QueueStore(join(dir, 'sqs.db'), () => Date.now());
  for (const name of PARKED_NAMES) {
    store.createQueue(parkOf(name), {});
    if (STREAMS.includes(name)) continue;
    const deadLetterTargetArn = `${QUEUE_ARN_PREFIX}${parkOf(name)}`;
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 1 });
    store.createQueue(name, { RedrivePolicy });
  }
  const server = sqsServer(store);
  const asked: string[] = [];
  const failing = new Set<string>();
  const [serve] = server.listeners('request');
  server.removeAllListeners('request').on('request', (request, response) => {
    const operation = String(request.headers['x-amz-target']);
    asked.push(operation);
    if (failing.has(operation)) response.writeHead(500).end();
    else serve?.call(server, request, response);
  });
  const url = `http://127.0.0.1:${await listenExactly(server, 0)}`;
  vi.stubEnv('AWS_ENDPOINT_URL_SQS', url);
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDWATCH', url);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  const urlsOf = (nameOf: (name: ParkedName) => string) =>
    Object.fromEntries(PARKED_NAMES.map((it) => [it, `${url}/000000000000/${nameOf(it)}`]));
  const urls = urlsOf(parkOf) as Record<ParkedName, string>;
  const sources = urlsOf((it) => it) as Record<ParkedName, string>;
  const deadLetters = openDeadLetters(urls, sources);
  const queueAges = openQueueAges(urls, sources);
  const stop = () => closeServer(server);
  return {
    store,
    deadLetters,
    queueAges,
    asked,
    failing,
    stop,
    async close() {
      if (server.listening) await stop();
      store.close();
      rmSync(dir, { recursive: true });
    },
  };
}
