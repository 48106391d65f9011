import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import middy from '@middy/core';
import type { DynamoDBBatchResponse, DynamoDBStreamEvent } from 'aws-lambda';
import type { Item, World } from '../world.ts';
import { toItem } from './items.ts';

/** A record of the stream: the item as it was written. */
export interface StreamRecord {
  readonly sequenceNumber: string;
  readonly item: Item;
}

/**
 * A stream worker. `handle` gets the whole batch in order and resolves to the sequence numbers
 * that failed; Lambda reads on from the first of them, so the rest of the batch may come again.
 */
export function stream<Needs extends Pick<World, 'log'>>(
  world: Needs,
  handle: (records: readonly StreamRecord[], world: NoInfer<Needs>) => Promise<readonly string[]>,
) {
  return middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async ({ Records }) => {
    const records = Records.flatMap(({ dynamodb }) => {
      if (!dynamodb?.NewImage || !dynamodb.SequenceNumber) return [];
      const image = dynamodb.NewImage as Record<string, AttributeValue>;
      return [{ sequenceNumber: dynamodb.SequenceNumber, item: toItem(image) }];
    });
    const failed = await handle(records, world);
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  });
}
