import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type * as z from 'zod';
import type { World } from '../world.ts';

/** What a worker may want to know of the message beside its body. */
export interface Receipt {
  readonly messageId: string;
  /** When Lambda kills this invocation, in milliseconds since 1970. */
  readonly deadlineMs: number;
}

/**
 * An SQS worker. All messages of a batch are handled in parallel; one that throws goes back to
 * the queue alone, and its neighbours stay done.
 */
export function batch<Schema extends z.ZodType, Needs extends Pick<World, 'clock' | 'log'>>(
  world: Needs,
  schema: Schema,
  handle: (message: z.output<Schema>, world: NoInfer<Needs>, receipt: Receipt) => Promise<unknown>,
) {
  async function attempt({ body, messageId }: SQSRecord, deadlineMs: number) {
    try {
      await handle(schema.parse(JSON.parse(body)), world, { messageId, deadlineMs });
      return [];
    } catch (error) {
      world.log.error('message.failed', { messageId, error });
      return [{ itemIdentifier: messageId }];
    }
  }

  return middy<SQSEvent, SQSBatchResponse>().handler(async ({ Records }, context: Context) => {
    const deadlineMs = world.clock.nowMs() + context.getRemainingTimeInMillis();
    const failures = await Promise.all(Records.map((it) => attempt(it, deadlineMs)));
    return { batchItemFailures: failures.flat() };
  });
}
