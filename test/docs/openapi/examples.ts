import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';

const FILE = 'docs/examples.json';

const Example = z.strictObject({
  /** Method and path as they were called. */
  request: z.string(),
  body: z.json().optional(),
  status: z.int(),
  answer: z.json(),
});

const ExamplesFile = z.strictObject({
  /** By operationId. */
  operations: z.record(z.string(), Example),
  /** Problem documents by code. */
  refusals: z.record(z.string(), z.json()),
  /** Webhooks as they arrived, by event type. */
  webhooks: z.record(z.string(), z.json()),
});

export type Example = z.output<typeof Example>;
export type Examples = z.output<typeof ExamplesFile>;

/** The examples that a journey has recorded: see test/journeys/docs-examples.test.ts. */
export function readExamples(): Examples {
  if (!existsSync(FILE)) return { operations: {}, refusals: {}, webhooks: {} };
  return ExamplesFile.parse(JSON.parse(readFileSync(FILE, 'utf8')));
}
