import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { DeleteItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lean } from '../../../functions/shared/aws/lean.ts';

/** What arrived: the operation, the key, and how the caller names itself. */
interface Arrived {
  readonly target: unknown;
  readonly key: string;
  readonly agent: unknown;
}

let arrived: Arrived[];
let server: Server;
let client: DynamoDBClient;
const logged: unknown[] = [];
const log = (...line: unknown[]) => void logged.push(line);

beforeEach(async () => {
  arrived = [];
  // Answers each call with its own key.
  server = createServer(async (request, answer) => {
    const { Key } = (await json(request)) as { Key: { pk: { S: string } } };
    const { 'x-amz-target': target, 'user-agent': agent } = request.headers;
    arrived.push({ target, agent, key: Key.pk.S });
    answer.setHeader('content-type', 'application/x-amz-json-1.0');
    answer.end(JSON.stringify({ Item: Key, Attributes: Key }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = lean(
    new DynamoDBClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      logger: { trace: log, debug: log, info: log, warn: log, error: log },
    }),
  );
});

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

it('keeps calls apart that are made at once, of one kind and of others', async () => {
  const names = Array.from({ length: 100 }, (_, n) => `a${n}`);
  const answers = await Promise.all(
    names.map(async (name, n) => {
      const order = { TableName: 't', Key: { pk: { S: name } } };
      if (n % 2 === 0) return (await client.send(new GetItemCommand(order))).Item;
      return (await client.send(new DeleteItemCommand(order))).Attributes;
    }),
  );
  expect(answers.map((it) => it?.pk?.S)).toEqual(names);
  const targets = new Map(arrived.map((it) => [it.key, it.target]));
  expect(names.map((it) => targets.get(it))).toEqual(
    names.map((_, n) => `DynamoDB_20120810.${n % 2 === 0 ? 'GetItem' : 'DeleteItem'}`),
  );
});

it('says the same of itself with every call, and logs nothing of it', async () => {
  for (let n = 0; n < 20; n += 1) {
    await client.send(new GetItemCommand({ TableName: 't', Key: { pk: { S: `item-${n}` } } }));
  }
  expect(new Set(arrived.map((it) => it.agent)).size).toBe(1);
  expect(JSON.stringify(logged)).not.toContain('item-');
});
