import {
  type CancellationReason,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  PutItemCommand,
  type TransactionCanceledException,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandOutput,
} from '@aws-sdk/client-dynamodb';
import { Problem } from '../problem.ts';
import { systemClock } from '../system.ts';
import type { Commit, Reason, Write } from '../world.ts';
import type { Connection } from './db.ts';
import { toAttributes, toItem } from './items.ts';

/** Quota of TransactWriteItems. */
const WRITES_MAX = 100;

/** All of the writes or none. A refused condition is an answer; an outage throws. */
export async function commitWrites(at: Connection, writes: readonly Write[]): Promise<Commit> {
  const [only] = writes;
  if (only === undefined) return { ok: true };
  if (writes.length > WRITES_MAX) throw new Error(`a commit of ${writes.length} writes`);
  // A single write needs no transaction, and costs half.
  if (writes.length === 1 && only.kind !== 'check') return commitOne(at, only);
  return commitTogether(at, writes);
}

/** About 0.6 s in all: a transaction takes some milliseconds, a crowd of them some more. */
const CONFLICTS_MAX = 6;
const CONFLICT_PAUSE_MS = 10;

/**
 * Tries again while a transaction is in the way. Most of those who write alone hold something of
 * which nobody else knows, as the results of a batch, and take a refusal for the loss of it.
 */
async function commitOne(at: Connection, write: Write, conflicts = 0): Promise<Commit> {
  try {
    const { ConsumedCapacity, Attributes } = await sendOne(at, write);
    at.spent(write.kind, [ConsumedCapacity]);
    return Attributes ? { ok: true, item: toItem(Attributes) } : { ok: true };
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) {
      return { ok: false, reasons: [toReason({ ...error, Code: 'ConditionalCheckFailed' })] };
    }
    if (Object(error).name !== 'TransactionConflictException') throw error;
  }
  if (conflicts === CONFLICTS_MAX) throw new Problem('busy');
  await systemClock.sleep(CONFLICT_PAUSE_MS * 2 ** conflicts);
  return commitOne(at, write, conflicts + 1);
}

/** The new item comes back where an update asks for it, which costs nothing. */
async function sendOne(
  at: Connection,
  write: Write,
): Promise<Pick<UpdateItemCommandOutput, 'Attributes' | 'ConsumedCapacity'>> {
  const { ReturnConsumedCapacity } = at;
  const parts = { ...toParts(at, write), ReturnConsumedCapacity };
  if (write.kind === 'put') {
    return at.client.send(new PutItemCommand({ ...parts, Item: toAttributes(write.item) }));
  }
  const Key = toAttributes({ ...write.key });
  if (write.kind !== 'update') return at.client.send(new DeleteItemCommand({ ...parts, Key }));
  const UpdateExpression = write.update;
  const ReturnValues = write.answersItem ? 'ALL_NEW' : undefined;
  return at.client.send(new UpdateItemCommand({ ...parts, Key, UpdateExpression, ReturnValues }));
}

async function commitTogether(at: Connection, writes: readonly Write[]): Promise<Commit> {
  try {
    const reply = await at.client.send(
      new TransactWriteItemsCommand({
        TransactItems: writes.map((write) => toTransactItem(at, write)),
        ReturnConsumedCapacity: at.ReturnConsumedCapacity,
      }),
    );
    at.spent('commit', reply.ConsumedCapacity ?? []);
    return { ok: true };
  } catch (error) {
    const reasons = reasonsOfCancellation(error, writes.length);
    if (!reasons) throw error;
    return { ok: false, reasons };
  }
}

function reasonsOfCancellation(error: unknown, count: number): Reason[] | undefined {
  const { name } = Object(error);
  // The same token is still running: nobody knows the outcome yet, so it counts as contention.
  if (name === 'TransactionInProgressException') {
    return Array.from({ length: count }, () => ({ code: 'conflict' }));
  }
  if (name !== 'TransactionCanceledException') return undefined;
  const { CancellationReasons } = error as TransactionCanceledException;
  return CancellationReasons?.map(toReason);
}

const REASON_CODES: Readonly<Record<string, Reason['code']>> = {
  None: 'none',
  ConditionalCheckFailed: 'condition',
  TransactionConflict: 'conflict',
  ThrottlingError: 'throttled',
  ProvisionedThroughputExceeded: 'throttled',
};

function toReason({ Code, Item: image }: CancellationReason): Reason {
  const code = REASON_CODES[Code ?? 'None'] ?? 'other';
  return image ? { code, item: toItem(image) } : { code };
}

function toTransactItem(at: Connection, write: Write): TransactWriteItem {
  const parts = toParts(at, write);
  if (write.kind === 'put') return { Put: { ...parts, Item: toAttributes(write.item) } };
  const Key = toAttributes({ ...write.key });
  if (write.kind === 'update') {
    return { Update: { ...parts, Key, UpdateExpression: write.update } };
  }
  if (write.kind === 'remove') return { Delete: { ...parts, Key } };
  return { ConditionCheck: { ...parts, Key, ConditionExpression: write.condition } };
}

function toParts(at: Connection, write: Write) {
  return {
    TableName: at.tableName(write.table),
    ConditionExpression: write.condition,
    ExpressionAttributeNames: write.names,
    ExpressionAttributeValues: write.values && toAttributes(write.values),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  } as const;
}
