import {
  BatchGetItemCommand,
  type ConsumedCapacity,
  DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import { Problem } from '../problem.ts';
import { systemClock } from '../system.ts';
import type { Db, Item, Key, Page, Query, TableName } from '../world.ts';
import { answered, PATIENCE } from './answered.ts';
import { commitWrites } from './commit.ts';
import { toAttributes, toItem } from './items.ts';
import { lean } from './lean.ts';

/** What one call consumed, per table: WRU or RRU as DynamoDB reports them. */
export interface Units {
  readonly operation: string;
  readonly consumed: readonly ConsumedCapacity[];
}

export interface DbSettings {
  readonly tables: Readonly<Partial<Record<TableName, string>>>;
  /** Told the cost of each call; asking DynamoDB for it is free. */
  readonly onUnits?: (units: Units) => void;
  readonly client?: DynamoDBClient;
}

/** What the parts of the adapter share. */
export interface Connection {
  readonly client: DynamoDBClient;
  /** Left out, DynamoDB says nothing of the cost. */
  readonly ReturnConsumedCapacity: 'INDEXES' | undefined;
  tableName(table: TableName): string;
  spent(operation: string, consumed: readonly (ConsumedCapacity | undefined)[]): void;
}

/** Quota of BatchGetItem. */
const KEYS_MAX = 100;
const UNPROCESSED_ROUNDS = 5;
const UNPROCESSED_PAUSE_MS = 10;

/** The World's database on DynamoDB. A table that is not in the settings is a bug of the caller. */
export function openDb(settings: DbSettings): Db {
  const connection: Connection = {
    client: lean(settings.client ?? new DynamoDBClient(PATIENCE)),
    ReturnConsumedCapacity: settings.onUnits && 'INDEXES',
    tableName(table) {
      const name = settings.tables[table];
      if (name === undefined) throw new Error(`this function has no access to table ${table}`);
      return name;
    },
    spent: (operation, consumed) =>
      settings.onUnits?.({ operation, consumed: consumed.filter((it) => it !== undefined) }),
  };
  return {
    get: (table, key) => answered('database', () => getItem(connection, table, key)),
    getAll: (keys) => answered('database', () => getItems(connection, keys)),
    query: (query) => answered('database', () => queryPage(connection, query)),
    commit: (writes) => answered('database', () => commitWrites(connection, writes)),
  };
}

async function getItem(at: Connection, table: TableName, key: Key): Promise<Item | undefined> {
  const reply = await at.client.send(
    new GetItemCommand({
      TableName: at.tableName(table),
      Key: toAttributes({ pk: key.pk, sk: key.sk }),
      ConsistentRead: true,
      ReturnConsumedCapacity: at.ReturnConsumedCapacity,
    }),
  );
  at.spent('get', [reply.ConsumedCapacity]);
  return reply.Item && toItem(reply.Item);
}

async function getItems(
  at: Connection,
  keys: readonly (Key & { table: TableName })[],
): Promise<(Item | undefined)[]> {
  const found = new Map<string, Item>();
  for (let start = 0; start < keys.length; start += KEYS_MAX) {
    await getBatch(at, keys.slice(start, start + KEYS_MAX), found);
  }
  return keys.map((key) => found.get(`${at.tableName(key.table)} ${key.pk} ${key.sk}`));
}

async function getBatch(
  at: Connection,
  keys: readonly (Key & { table: TableName })[],
  found: Map<string, Item>,
): Promise<void> {
  let wanted = new Map<string, readonly Key[]>(Map.groupBy(keys, (key) => at.tableName(key.table)));
  for (let round = 0; wanted.size > 0; round += 1) {
    if (round === UNPROCESSED_ROUNDS) {
      throw new Problem('unavailable', { detail: 'Reads are throttled.', retryAfterSeconds: 1 });
    }
    // Throttling gets worse by asking again at once.
    if (round > 0) await systemClock.sleep(UNPROCESSED_PAUSE_MS * 2 ** round);
    wanted = await getRound(at, wanted, found);
  }
}

/** One BatchGetItem. Returns what DynamoDB left unprocessed. */
async function getRound(
  at: Connection,
  wanted: Map<string, readonly Key[]>,
  found: Map<string, Item>,
): Promise<Map<string, Key[]>> {
  const requests = [...wanted].map(([name, keys]) => {
    const unique = new Map(keys.map(({ pk, sk }) => [`${pk} ${sk}`, toAttributes({ pk, sk })]));
    return [name, { Keys: [...unique.values()], ConsistentRead: true }];
  });
  const reply = await at.client.send(
    new BatchGetItemCommand({
      RequestItems: Object.fromEntries(requests),
      ReturnConsumedCapacity: at.ReturnConsumedCapacity,
    }),
  );
  at.spent('getAll', reply.ConsumedCapacity ?? []);
  for (const [name, items] of Object.entries(reply.Responses ?? {})) {
    for (const item of items.map(toItem)) found.set(`${name} ${item.pk} ${item.sk}`, item);
  }
  const left = Object.entries(reply.UnprocessedKeys ?? {});
  return new Map(left.map(([name, { Keys }]) => [name, (Keys ?? []).map((it) => toKey(it))]));
}

function toKey(attributes: Parameters<typeof toItem>[0]): Key {
  const { pk, sk } = toItem(attributes);
  return { pk: String(pk), sk: String(sk) };
}

async function queryPage(at: Connection, query: Query): Promise<Page> {
  const reply = await at.client.send(new QueryCommand(toQueryInput(at, query)));
  at.spent('query', [reply.ConsumedCapacity]);
  const items = (reply.Items ?? []).map(toItem);
  return reply.LastEvaluatedKey ? { items, next: toItem(reply.LastEvaluatedKey) } : { items };
}

function toQueryInput(at: Connection, query: Query): QueryCommandInput {
  const { index, sk } = query;
  const names = { '#pk': index ? `${index}Pk` : 'pk', '#sk': index ? `${index}Sk` : 'sk' };
  const range =
    sk === undefined
      ? undefined
      : 'prefix' in sk
        ? { text: 'begins_with(#sk, :from)', values: { ':from': sk.prefix } }
        : { text: '#sk BETWEEN :from AND :to', values: { ':from': sk.from, ':to': sk.to } };
  return {
    TableName: at.tableName(query.table),
    IndexName: index,
    ConsistentRead: index === undefined,
    KeyConditionExpression: range ? `#pk = :pk AND ${range.text}` : '#pk = :pk',
    ExpressionAttributeNames: range ? names : { '#pk': names['#pk'] },
    ExpressionAttributeValues: toAttributes({ ':pk': query.pk, ...range?.values }),
    ScanIndexForward: !query.newestFirst,
    Limit: query.limit,
    ExclusiveStartKey: query.after && toAttributes(query.after),
    ReturnConsumedCapacity: at.ReturnConsumedCapacity,
  };
}
