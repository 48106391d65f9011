import middy from '@middy/core';
import type {
  Context,
  SQSBatchItemFailure,
  SQSBatchResponse,
  SQSEvent,
  SQSRecord,
} from 'aws-lambda';
import type * as z from 'zod';
import { known } from '../form.ts';
import type { LogFields, World } from '../world.ts';

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
      await handle(schema.parse(known(JSON.parse(body))), world, { messageId, deadlineMs });
      return [];
    } catch (error) {
      world.log.error('message.failed', { messageId, ...namesIn(body), error });
      return [{ itemIdentifier: messageId }];
    }
  }

  return middy<SQSEvent, SQSBatchResponse>().handler(async ({ Records }, context: Context) => {
    const deadlineMs = world.clock.nowMs() + context.getRemainingTimeInMillis();
    const failures = await Promise.all(Records.map((it) => attempt(it, deadlineMs)));
    return { batchItemFailures: failures.flat() };
  });
}

/**
 * An SQS worker that takes all messages of a batch at once, and settles each of them in their
 * order. One that cannot be read, or is rejected, goes back to the queue alone.
 */
export function wholeBatch<Schema extends z.ZodType, Needs extends Pick<World, 'log'>>(
  world: Needs,
  schema: Schema,
  settle: (
    messages: readonly z.output<Schema>[],
    world: NoInfer<Needs>,
  ) => Promise<readonly PromiseSettledResult<unknown>[]>,
) {
  const fail = ({ messageId, body }: SQSRecord, error: unknown) => {
    world.log.error('message.failed', { messageId, ...namesIn(body), error });
    return { itemIdentifier: messageId };
  };
  return middy<SQSEvent, SQSBatchResponse>().handler(async ({ Records }) => {
    const unread: SQSBatchItemFailure[] = [];
    const read = Records.flatMap((record) => {
      try {
        return { record, message: schema.parse(known(JSON.parse(record.body))) };
      } catch (error) {
        unread.push(fail(record, error));
        return [];
      }
    });
    const settled = await settle(
      read.map((it) => it.message),
      world,
    );
    const rejected = read.flatMap(({ record }, index) => {
      const it = settled[index];
      return it?.status === 'rejected' ? fail(record, it.reason) : [];
    });
    return { batchItemFailures: [...unread, ...rejected] };
  });
}

const NAMES = ['tenant', 'endpoint', 'event', 'seq', 'file', 'block', 'pk', 'sk'];

/** What a message is about, by its ids and without its data. */
function namesIn(body: string): LogFields {
  try {
    const fields = Object.entries(JSON.parse(body) ?? {});
    return { about: Object.fromEntries(fields.filter(([name]) => NAMES.includes(name))) };
  } catch {
    return {};
  }
}
