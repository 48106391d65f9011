import { setTimeout as sleep } from 'node:timers/promises';
import { callAws } from '../aws-call.ts';
import { messageOf } from '../failure.ts';
import type { InvokeResult } from '../lambda/instance.ts';
import type { LocalLog } from '../log.ts';
import { REGION } from '../resources.ts';

/** What the template says about one queue and its consumer. */
export interface SqsSourceSpec {
  readonly queueArn: string;
  readonly queueUrl: string;
  readonly batchSize: number;
  /** How long to wait for a batch to fill up. */
  readonly windowMs: number;
  readonly concurrencyMax: number;
  readonly reportsFailures: boolean;
}

export interface SqsSourceTools {
  readonly endpoint: string;
  readonly invoke: (event: unknown) => Promise<InvokeResult>;
  readonly log: LocalLog;
}

interface SqsMessage {
  readonly MessageId: string;
  readonly ReceiptHandle: string;
  readonly Body: string;
  readonly MD5OfBody: string;
  readonly Attributes: Readonly<Record<string, string>>;
  readonly MessageAttributes?: Readonly<Record<string, unknown>>;
}

/** Quotas of ReceiveMessage. */
const RECEIVE_MAX = 10;
const LONG_POLL_SECONDS = 20;
const POLL_MS = 20;
const AFTER_ERROR_MS = 500;

/** A running event source. */
export interface EventSource {
  /** Takes no more; resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/**
 * Reads a queue and invokes its consumer. What an invocation did not manage stays invisible until
 * its visibility timeout is over, and comes again then, as in AWS.
 */
export function startSqsSource(spec: SqsSourceSpec, tools: SqsSourceTools): EventSource {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        if (running.size >= spec.concurrencyMax) await Promise.race(running);
        const messages = await receiveBatch(spec, tools, stopping.signal);
        if (messages.length === 0) continue;
        const work = consume(messages, spec, tools).finally(() => running.delete(work));
        running.add(work);
      } catch (error) {
        if (stopping.signal.aborted) break;
        tools.log.line('sqs', messageOf(error));
        await sleep(AFTER_ERROR_MS);
      }
    }
    await Promise.all(running);
  }

  const done = loop();
  return {
    stop() {
      stopping.abort();
      return done;
    },
  };
}

/** The first messages at once; with a window, as many as come within it. */
async function receiveBatch(
  { queueUrl, batchSize, windowMs }: SqsSourceSpec,
  { endpoint }: SqsSourceTools,
  signal: AbortSignal,
): Promise<SqsMessage[]> {
  const batch: SqsMessage[] = [];
  let untilMs = Number.POSITIVE_INFINITY;
  while (batch.length < batchSize && Date.now() < untilMs) {
    const leftMs = untilMs - Date.now();
    const { Messages = [] } = await callAws<{ Messages?: SqsMessage[] }>(
      { endpoint, service: 'sqs', signal },
      'ReceiveMessage',
      {
        QueueUrl: queueUrl,
        MaxNumberOfMessages: Math.min(RECEIVE_MAX, batchSize - batch.length),
        WaitTimeSeconds: Math.floor(Math.min(LONG_POLL_SECONDS, leftMs / 1_000)),
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      },
    );
    batch.push(...Messages);
    if (batch.length === 0 || windowMs === 0) break;
    // A long poll counts in seconds, and a window ends within one.
    if (Messages.length === 0) await sleep(Math.min(POLL_MS, leftMs));
    untilMs = Math.min(untilMs, Date.now() + windowMs);
  }
  return batch;
}

async function consume(
  messages: readonly SqsMessage[],
  spec: SqsSourceSpec,
  { endpoint, invoke, log }: SqsSourceTools,
): Promise<void> {
  const outcome = await invoke({ Records: messages.map((it) => recordOf(it, spec.queueArn)) });
  if (!outcome.ok) log.line('sqs', `${spec.queueArn}: ${outcome.failure.errorMessage}`);
  const failed = failedIds(outcome, messages, spec);
  const done = messages.filter(({ MessageId }) => !failed.has(MessageId));
  for (let i = 0; i < done.length; i += RECEIVE_MAX) {
    const Entries = done
      .slice(i, i + RECEIVE_MAX)
      .map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle }));
    const request = { QueueUrl: spec.queueUrl, Entries };
    await callAws({ endpoint, service: 'sqs' }, 'DeleteMessageBatch', request).catch((error) =>
      log.line('sqs', `${spec.queueArn}: ${messageOf(error)}`),
    );
  }
}

/** Everything failed when the function did, or when it names a message that it was not given. */
function failedIds(
  outcome: InvokeResult,
  messages: readonly SqsMessage[],
  { reportsFailures }: SqsSourceSpec,
): ReadonlySet<string> {
  const all = new Set(messages.map(({ MessageId }) => MessageId));
  if (!outcome.ok) return all;
  const result = outcome.result as { batchItemFailures?: { itemIdentifier: string }[] } | null;
  if (!reportsFailures || !result?.batchItemFailures) return new Set();
  const failed = result.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  return failed.every((id) => all.has(id)) ? new Set(failed) : all;
}

function recordOf(message: SqsMessage, queueArn: string): object {
  return {
    messageId: message.MessageId,
    receiptHandle: message.ReceiptHandle,
    body: message.Body,
    attributes: message.Attributes,
    messageAttributes: message.MessageAttributes ?? {},
    md5OfBody: message.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: queueArn,
    awsRegion: REGION,
  };
}
