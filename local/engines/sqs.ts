import { Worker } from 'node:worker_threads';
import { callAws } from '../aws-call.ts';
import { LocalFailure } from '../failure.ts';
import type { LocalLog } from '../log.ts';
import { nameOf } from '../resources.ts';
import type { Resource } from '../template.ts';
import type { Engine } from './engine.ts';

export interface SqsOptions {
  readonly file: string;
  readonly log: LocalLog;
  /** Another one is taken when it is busy. */
  readonly wantedPort: number;
}

type Started = { readonly port: number } | { readonly failure: string };

/** The queues at AWS_ENDPOINT_URL_SQS, or our own in a thread. */
export async function startSqs({ file, log, wantedPort }: SqsOptions): Promise<Engine> {
  const external = process.env.AWS_ENDPOINT_URL_SQS;
  if (external) return { endpoint: external, stop: async () => undefined };

  const worker = new Worker(new URL('../sqs/worker.ts', import.meta.url), {
    workerData: { file, port: wantedPort },
  });
  worker.on('error', (error) => log.say('sqs', `crashed: ${error.message}`));
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const started = await new Promise<Started>((resolve) => worker.once('message', resolve));
  if ('failure' in started) throw new LocalFailure(started.failure);
  return {
    endpoint: `http://127.0.0.1:${started.port}`,
    stop() {
      worker.postMessage('stop');
      return ended;
    },
  };
}

/** The attributes of a queue that mean something here. */
const ATTRIBUTES = [
  'VisibilityTimeout',
  'DelaySeconds',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'ReceiveMessageWaitTimeSeconds',
  'RedrivePolicy',
  'FifoQueue',
];

/** Makes the queue, or gives the kept one these attributes. `resource` is resolved. */
export async function ensureQueue(endpoint: string, resource: Resource): Promise<void> {
  const Attributes: Record<string, string> = {};
  for (const name of ATTRIBUTES) {
    const value = resource.properties[name];
    if (value === undefined) continue;
    Attributes[name] = typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
  await callAws({ endpoint, service: 'sqs' }, 'CreateQueue', {
    QueueName: nameOf(resource),
    Attributes,
  });
}
