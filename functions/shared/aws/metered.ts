import type { Context } from 'aws-lambda';
import { flushMeters } from '../flush-meters.ts';
import type { InstanceMeters } from '../meters.ts';
import type { World } from '../world.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log'> & { readonly meters: InstanceMeters };

/** So long an answer waits for the table of the meters, once in ten seconds at most. */
const WRITE_MS_MAX = 250;

/**
 * A handler after whose work the instance adds what it has counted to what all have. It counts by
 * itself what is the same for all: cold starts, messages, and what threw. A table that is slow or
 * throttled delays nothing for long and fails nothing: the write then ends beside what comes next.
 */
export function metered<Event, Result>(
  world: Needs,
  handler: (event: Event, context: Context) => Promise<Result>,
) {
  const { meters } = world;
  let isWarm = false;
  return async (event: Event, context: Context): Promise<Result> => {
    if (!isWarm) meters.count('tallyhook_cold_starts_total', { function: meters.entry });
    isWarm = true;
    try {
      const result = await handler(event, context);
      countMessages(meters, messagesOf(event, result));
      return result;
    } catch (error) {
      meters.count('tallyhook_function_errors_total', { function: meters.entry });
      countMessages(meters, { done: 0, all: recordsOf(event).length });
      throw error;
    } finally {
      const writing = flushMeters(world);
      if (writing) await Promise.race([writing, world.clock.sleep(WRITE_MS_MAX)]);
    }
  };
}

interface Messages {
  readonly done: number;
  readonly all: number;
}

/** Those that are not done come again. */
function countMessages(meters: InstanceMeters, { done, all }: Messages): void {
  const labels = { function: meters.entry };
  if (done > 0) meters.count('tallyhook_messages_total', { ...labels, result: 'done' }, done);
  if (all > done) {
    meters.count('tallyhook_messages_total', { ...labels, result: 'failed' }, all - done);
  }
}

/** A message of a queue, or a record of a stream. */
interface Handled {
  readonly dynamodb?: { readonly SequenceNumber?: string };
}

function recordsOf(event: unknown): readonly Handled[] {
  return (Object(event) as { readonly Records?: readonly Handled[] }).Records ?? [];
}

/** Of a stream everything comes again from the first record that failed. */
function messagesOf(event: unknown, result: unknown): Messages {
  const records = recordsOf(event);
  const { batchItemFailures: failures = [] } = Object(result) as {
    readonly batchItemFailures?: readonly { readonly itemIdentifier: string }[];
  };
  const failed = new Set(failures.map((it) => it.itemIdentifier));
  const first = records.findIndex(({ dynamodb }) => failed.has(dynamodb?.SequenceNumber ?? ''));
  return { done: first < 0 ? records.length - failures.length : first, all: records.length };
}
