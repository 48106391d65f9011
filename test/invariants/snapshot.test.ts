import { PutItemCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, inject, it } from 'vitest';
import { engineClient } from '../support/engine-client.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { testWorld } from '../support/world.ts';

describe('takeSnapshot', () => {
  it('shows no event without its transaction while somebody writes', async () => {
    const { client: writer, tables } = await testWorld();
    const reader = engineClient(inject('engineUrl'));
    const row = { pk: { S: 'a' }, sk: { S: 'b' } };
    const ledgerIsRead = Promise.withResolvers<void>();
    reader.middlewareStack.add((next) => async (args) => {
      const { TableName } = args.input as { readonly TableName: string };
      if (TableName === tables.outbox) {
        await ledgerIsRead.promise;
        const both = [tables.ledger, tables.outbox].map((it) => ({
          Put: { TableName: it, Item: row },
        }));
        await writer.send(new TransactWriteItemsCommand({ TransactItems: both }));
      }
      const answer = await next(args);
      if (TableName === tables.ledger) ledgerIsRead.resolve();
      return answer;
    });

    const { ledger, outbox } = await takeSnapshot(reader, tables);

    expect(ledger.map(({ pk }) => pk)).toEqual(['a']);
    expect(outbox.map(({ pk }) => pk)).toEqual(['a']);
  });

  it('does not wait for ever for tables that never rest', async () => {
    const { client: writer, tables } = await testWorld();
    const reader = engineClient(inject('engineUrl'));
    let count = 0;
    reader.middlewareStack.add((next) => async (args) => {
      const { TableName } = args.input as { readonly TableName: string };
      if (TableName === tables.ledger) {
        const Item = { pk: { S: 'a' }, sk: { S: String(count++) } };
        await writer.send(new PutItemCommand({ TableName, Item }));
      }
      return next(args);
    });

    const never = takeSnapshot(reader, tables, (all) => all, 100);
    await expect(never).rejects.toThrow('not so after 100 ms');
  });
});
