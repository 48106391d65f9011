import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { wholeBatch } from '../../../functions/shared/aws/batch.ts';
import type { LogFields } from '../../../functions/shared/world.ts';

const failures: unknown[] = [];
const log = {
  info: () => undefined,
  warn: () => undefined,
  error: (_event: string, fields?: LogFields) => void failures.push(fields?.messageId),
};

it('gives a worker a whole batch, and gives back what is unreadable or was rejected', async () => {
  const seen: unknown[] = [];
  const handler = wholeBatch({ log }, z.object({ n: z.number() }), (messages) => {
    seen.push(messages);
    const one = async (n: number) => (n === 2 ? Promise.reject(new Error('no')) : n);
    return Promise.allSettled(messages.map(({ n }) => one(n)));
  });
  const bodies = ['{"n":1}', 'not JSON', '{"n":2}', '{"n":"3"}', '{"n":4}', '{"v":2,"n":5}'];
  const Records = bodies.map((body, at) => ({ body, messageId: `m${at}` }));
  const answer = await handler({ Records } as SQSEvent, {} as Context);

  expect(seen).toEqual([[{ n: 1 }, { n: 2 }, { n: 4 }]]);
  const ids = (answer as SQSBatchResponse).batchItemFailures.map((it) => it.itemIdentifier);
  expect(ids.toSorted()).toEqual(['m1', 'm2', 'm3', 'm5']);
  expect(failures.toSorted()).toEqual(['m1', 'm2', 'm3', 'm5']);
});
