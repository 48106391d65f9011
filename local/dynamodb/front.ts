import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type AwsAnswer, sendAws } from '../aws-call.ts';
import { type CallEngine, GroupCommit, type PlainWrite } from './group-commit.ts';

/** What such a write may say; anything else asks for an answer that only a single write has. */
const MEMBERS = new Set([
  'TableName',
  'Item',
  'Key',
  'UpdateExpression',
  'ConditionExpression',
  'ExpressionAttributeNames',
  'ExpressionAttributeValues',
  'ReturnValuesOnConditionCheckFailure',
]);
const OPERATIONS = new Set(['PutItem', 'UpdateItem', 'DeleteItem']);

/**
 * Stands before the engine for functions that work in the background: it commits their single
 * writes in groups, and hands everything else on as it comes. The caller listens.
 */
export function frontServer(endpoint: string): Server {
  const call: CallEngine = (operation, body) =>
    sendAws({ endpoint, service: 'dynamodb' }, operation, body);
  const commits = new GroupCommit(call);
  return createServer((request, response) => {
    answer(request, { call, commits }).then(
      (found) => reply(response, found),
      // As the engine itself would hang up; the SDK tries again.
      () => response.destroy(),
    );
  });
}

async function answer(
  request: IncomingMessage,
  { call, commits }: { readonly call: CallEngine; readonly commits: GroupCommit },
): Promise<AwsAnswer> {
  const operation = String(request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
  const body = await text(request);
  const write = OPERATIONS.has(operation) && plainWrite(operation, body);
  return write ? commits.write(write) : call(operation, body);
}

function plainWrite(operation: string, body: string): PlainWrite | undefined {
  const input: Readonly<Record<string, unknown>> = JSON.parse(body);
  if (!Object.keys(input).every((member) => MEMBERS.has(member))) return undefined;
  return { operation, body, input, name: nameOf(input) };
}

/** By the keys that the tables of the stack have. With others the engine refuses the group. */
function nameOf({ TableName, Key, Item }: Readonly<Record<string, unknown>>): string {
  const { pk, sk } = (Key ?? Item ?? {}) as { readonly pk?: unknown; readonly sk?: unknown };
  return JSON.stringify([TableName, pk, sk]);
}

function reply(response: ServerResponse, { status, body }: AwsAnswer): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(body);
}
