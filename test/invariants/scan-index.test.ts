import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { callAws } from '../../local/aws-call.ts';
import { startDynamo } from '../../local/engines/dynamodb.ts';
import { openLog } from '../../local/log.ts';
import { openState } from '../../local/state.ts';
import { indexScans } from '../soak/scan-index.ts';
import { scanTable } from '../support/invariants/snapshot.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tallyhook-scan-index-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** How SQLite would answer what the engine asks for the second page of a scan. */
function planIn(file: string): string {
  const database = new DatabaseSync(file, { readOnly: true });
  const after = "((SELECT hash_prefix FROM rows WHERE pk = 'a' AND sk = 'b'), 'a', 'b')";
  const page = `SELECT item_json FROM rows WHERE (hash_prefix, pk, sk) > ${after}
    ORDER BY hash_prefix ASC, pk ASC, sk ASC LIMIT 9`;
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${page}`).all();
  database.close();
  return steps.map(({ detail }) => detail).join('; ');
}

it('lets a running engine scan without sorting, and changes nothing that it finds', async () => {
  const state = openState(folder, true);
  const log = openLog(folder, true);
  const { endpoint, stop } = await startDynamo({ state, log, wantedPort: 0, giveUp: expect.fail });
  await callAws({ endpoint, service: 'dynamodb' }, 'CreateTable', {
    TableName: 'rows',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'sk'].map((it) => ({ AttributeName: it, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ],
  });
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials });
  // Of more than a megabyte, so that there is a second page.
  const text = { S: 'x'.repeat(300_000) };
  for (const [n, owner] of ['ten_a', 'ten_b', 'ten_a', 'ten_c', 'ten_b', 'ten_a'].entries()) {
    const Item = { pk: { S: `${owner}#${n}` }, sk: { S: 'x' }, text };
    await client.send(new PutItemCommand({ TableName: 'rows', Item }));
  }
  const before = await scanTable(client, 'rows');

  indexScans(folder, ['rows']);
  expect(await scanTable(client, 'rows')).toEqual(before);
  expect(before).toHaveLength(6);
  const plan = planIn(state.path('dynamodb.db'));
  await stop();
  log.close();
  state.release();
  expect(plan).toMatch(/^SEARCH rows USING INDEX rows::scan/);
  expect(plan).not.toContain('TEMP B-TREE');
});

it('leaves a folder alone in which no engine keeps anything', () => {
  expect(() => indexScans(join(folder, 'elsewhere'), ['rows'])).not.toThrow();
});
