import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  type AttributeValue,
  type DynamoDBClient,
  PutItemCommand,
  paginateScan,
} from '@aws-sdk/client-dynamodb';
import type { TableName } from '../../functions/shared/world.ts';
import { type SentMessage, type TestWorld, testWorld } from '../support/world.ts';

type Attributes = Record<string, AttributeValue>;

/** What one release left behind: its tables, its messages in flight and its bucket. */
export interface Fixture {
  readonly nowMs: number;
  /** What tests ask for, by what it is. */
  readonly ids: Readonly<Record<string, string>>;
  readonly tables: Readonly<Record<string, readonly Attributes[]>>;
  readonly messages: readonly SentMessage[];
  readonly objects: Readonly<Record<string, Uint8Array>>;
}

/** Every table that something is in. */
export async function takeFixture(
  world: TestWorld,
  ids: Readonly<Record<string, string>>,
): Promise<Fixture> {
  const tables: Record<string, Attributes[]> = {};
  for (const [table, name] of Object.entries(world.tables)) {
    const items = await scan(world.client, name);
    if (items.length > 0) tables[table] = items;
  }
  const objects = Object.fromEntries(world.objects);
  return { nowMs: world.clock.nowMs(), ids, tables, messages: world.sent, objects };
}

/** All items of a table as DynamoDB has them, in the order of their keys. */
export async function scan(client: DynamoDBClient, TableName: string): Promise<Attributes[]> {
  const items: Attributes[] = [];
  for await (const page of paginateScan({ client }, { TableName, ConsistentRead: true })) {
    items.push(...(page.Items ?? []));
  }
  const keyOf = ({ pk, sk }: Attributes) => `${pk?.S} ${sk?.S}`;
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** Puts all of it into an empty world, a second later, each item as `change` makes it. */
export async function loadFixture(
  world: TestWorld,
  { nowMs, tables, objects }: Fixture,
  change: (item: Attributes) => Attributes = (it) => it,
): Promise<void> {
  for (const [table, items] of Object.entries(tables)) {
    const TableName = world.tables[table as TableName];
    await Promise.all(
      items.map((it) => world.client.send(new PutItemCommand({ TableName, Item: change(it) }))),
    );
  }
  for (const [key, body] of Object.entries(objects)) world.objects.set(key, body);
  world.clock.set(nowMs + 1_000);
}

/** As JSON, one item per line, so that a change of the form shows as what it is. */
export function writeFixture(fixture: Fixture): string {
  const lines = (items: readonly unknown[]) =>
    items.map((it) => `      ${JSON.stringify(it, asText)}`).join(',\n');
  const tables = Object.entries(fixture.tables).map(
    ([table, items]) => `    ${JSON.stringify(table)}: [\n${lines(items)}\n    ]`,
  );
  const { nowMs, ids, messages, objects } = fixture;
  return `{
  "nowMs": ${nowMs},
  "ids": ${JSON.stringify(ids)},
  "objects": ${JSON.stringify(objects, asText)},
  "messages": [\n${lines(messages)}\n  ],
  "tables": {\n${tables.join(',\n')}\n  }
}\n`;
}

/** Backwards. */
export function readFixture(text: string): Fixture {
  return JSON.parse(text, (_name, value) => {
    const { $bytes } = Object(value) as { $bytes?: string };
    return $bytes === undefined ? value : new Uint8Array(Buffer.from($bytes, 'base64'));
  });
}

function asText(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  // A Buffer has made itself a list of numbers already.
  const { type, data } = Object(value) as { type?: string; data?: number[] };
  const isBuffer = type === 'Buffer' && Array.isArray(data);
  return isBuffer ? { $bytes: Buffer.from(data).toString('base64') } : value;
}

/**
 * The fixture in this file. UPDATE_FIXTURES=1 makes it anew, by what `make` leaves behind and the
 * names that it answers.
 */
export async function keptFixture(
  file: URL,
  make: (world: TestWorld) => Promise<Readonly<Record<string, string>>>,
): Promise<Fixture> {
  if (process.env.UPDATE_FIXTURES === '1') {
    const world = await testWorld();
    const ids = await make(world);
    writeFileSync(file, writeFixture(await takeFixture(world, ids)));
  }
  if (!existsSync(file)) throw new Error('UPDATE_FIXTURES=1 makes it');
  return readFixture(readFileSync(file, 'utf8'));
}
