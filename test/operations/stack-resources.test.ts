import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, inject, it } from 'vitest';
import { readFlags } from '../../bin/ops/command.ts';
import { openInstallation } from '../../bin/ops/installation.ts';
import { findTables, listTables, restoredSets, restoredTables } from '../../bin/stack-resources.ts';

const client = new DynamoDBClient({
  endpoint: inject('engineUrl'),
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
});

const create = (TableName: string | undefined) =>
  client.send(
    new CreateTableCommand({
      TableName,
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  );

it('names the tables that may be meant, where one was restored beside another', async () => {
  const names = ['Torn-prod-Ledger0123ABCD-X1', 'Torn-prod-Ledger0123ABCD-X1-r1'];
  const [first, second] = names;
  await create(first);
  expect(findTables(await listTables(client), 'Torn-prod', ['ledger'])).toEqual({ ledger: first });
  await create(second);
  const all = await listTables(client);
  expect(() => findTables(all, 'Torn-prod', ['ledger'])).toThrow(
    `Torn-prod has 2 tables ledger (${names.join(', ')}); say which by TABLE_LEDGER`,
  );
  expect(() => findTables(all, 'Torn', ['ledger'])).toThrow(
    'Torn has no table ledger; set --stack, or TABLE_LEDGER',
  );
});

it('names restored tables as the option restoreFrom does', () => {
  const names = restoredTables('Torn-r1', ['ledger', 'control']);
  expect(names).toEqual({ ledger: 'Torn-r1-ledger', control: 'Torn-r1-control' });
});

it.each([
  [['--restored', 'Torn-prod-r1'], {}, 'Torn-prod-r1-ledger was not restored for Tallyhook,'],
  [['--stack', 'Torn-prod', '--restored', 'Torn-r1'], {}, 'not restored for Torn-prod,'],
  [['--stack', 'Torn'], { TALLYHOOK_RESTORED: 'Torn-prod-r1' }, 'not restored for Torn,'],
  [[], { TALLYHOOK_RESTORED: '' }, 'TALLYHOOK_RESTORED is empty: unset it'],
])('refuses restored tables of another stack: %j %j', (args, env, line) => {
  const given = readFlags({ flags: {}, wordsMax: 0 }, args);
  expect(() => openInstallation(given, env, () => {})).toThrow(line);
});

it('takes restored tables of its stack', () => {
  const given = readFlags({ flags: {}, wordsMax: 0 }, ['--stack', 'Torn-prod']);
  const at = openInstallation(given, { TALLYHOOK_RESTORED: 'Torn-prod-r12' }, () => {});
  expect(at.restored).toBe('Torn-prod-r12');
});

it('says so when restored tables lie beside those of the stack', async () => {
  const names = [
    'Twin-Ledger0123ABCD-X1',
    'Twin-r2-ledger',
    'Twin-r2-files',
    'Twin-prod-r1-ledger',
  ];
  for (const name of names) await create(name);
  expect(restoredSets(await listTables(client), 'Twin')).toEqual(['Twin-r2']);
  const notes: string[] = [];
  const args = ['--stack', 'Twin', '--dynamodb', inject('engineUrl')];
  const given = readFlags({ flags: {}, wordsMax: 0 }, args);
  const at = openInstallation(given, {}, (line) => notes.push(line));
  expect(await at.tables(['ledger'])).toEqual({ ledger: names[0] });
  expect(notes).toEqual([expect.stringContaining('--restored'), 'tables: Twin-r2']);
});
