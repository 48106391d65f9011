import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { callAws } from '../../local/aws-call.ts';
import { startDynamo } from '../../local/engines/dynamodb.ts';
import { indexStreamRecords } from '../../local/engines/stream-index.ts';
import { openLog } from '../../local/log.ts';
import { openState } from '../../local/state.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tallyhook-stream-index-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** How SQLite would answer what the engine asks at every write and at every GetRecords. */
function plansIn(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const number = 'CAST(sequence_number AS INTEGER)';
  const from = "FROM _stream_records WHERE table_name = 'a'";
  const plans = [
    `SELECT COALESCE(MAX(${number}), 0) + 1 ${from}`,
    `SELECT new_image ${from} AND shard_id = 'b' AND ${number} > 1 ORDER BY ${number} ASC LIMIT 9`,
  ].map((query) => {
    const steps = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    return steps.map(({ detail }) => detail).join('; ');
  });
  database.close();
  return plans;
}

it('lets the engine number and read stream records without reading them all', async () => {
  const state = openState(folder, true);
  const log = openLog(folder, true);
  const engine = await startDynamo({ state, log, wantedPort: 0, giveUp: expect.fail });
  const call = (operation: string, input: object) =>
    callAws({ endpoint: engine.endpoint, service: 'dynamodb' }, operation, input);
  await call('CreateTable', {
    TableName: 'events',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: 'NEW_IMAGE' },
  });
  for (const pk of ['a', 'b'])
    await call('PutItem', { TableName: 'events', Item: { pk: { S: pk } } });

  const [numbering, reading] = plansIn(state.path('dynamodb.db'));
  await engine.stop();
  log.close();
  state.release();
  expect(numbering).toMatch(/^SEARCH .* USING COVERING INDEX stream_records_by_number/);
  expect(reading).toMatch(/^SEARCH .* USING INDEX stream_records_by_number/);
  expect(reading).not.toContain('TEMP B-TREE');
});

it('leaves an engine alone that keeps its stream otherwise', () => {
  expect(() => indexStreamRecords(join(folder, 'other.db'))).not.toThrow();
});
