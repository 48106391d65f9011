import { callAws } from '../aws-call.ts';
import { onFreePort } from '../http/free-port.ts';
import type { LocalLog } from '../log.ts';
import { nameOf } from '../resources.ts';
import type { Resource } from '../template.ts';
import type { Engine } from './engine.ts';
import { type KeptPart, keepRunning } from './keep-running.ts';
import { startThread } from './thread.ts';

export interface SqsOptions {
  readonly file: string;
  readonly log: LocalLog;
  /** Another one is taken when it is busy. */
  readonly wantedPort: number;
  readonly giveUp: KeptPart['giveUp'];
}

/** The queues at AWS_ENDPOINT_URL_SQS, or our own in a thread, kept running. */
export async function startSqs(options: SqsOptions): Promise<Engine> {
  const external = process.env.AWS_ENDPOINT_URL_SQS;
  if (external) return { endpoint: external, stop: async () => undefined };

  const { file, log, giveUp } = options;
  const program = new URL('../sqs/worker.ts', import.meta.url);
  return onFreePort(options.wantedPort, async (port) => {
    const run = () => startThread({ name: 'sqs', program, data: { file, port }, log });
    const stop = await keepRunning({ name: 'sqs', run, log, giveUp });
    return { endpoint: `http://127.0.0.1:${port}`, stop };
  });
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
