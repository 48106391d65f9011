import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id, PageQuery, pageOf, text } from '../shared/wire.ts';

const ResultStatus = z.enum(['delivered', 'failed', 'uncertain', 'cancelled', 'pending']);

const Result = z
  .object({
    userId: z.string(),
    row: z.int().meta({ description: 'The data row, counted from 1.' }),
    status: ResultStatus,
    code: z.string().optional().meta({
      description: 'How the last attempt failed: `timeout`, `http_500` …',
    }),
    at: z
      .string()
      .optional()
      .meta({
        description:
          'Of the last attempt, to some seconds, where the alert has become a delivery. Else ' +
          'when a worker last took up the block of up to 1,000 users, also if it sent nothing ' +
          'then: the attempt came at most a minute after that, or any time before. Absent ' +
          'without an attempt.',
      }),
  })
  .meta({ id: 'Result' });

const params = z.object({ id: id('fil') });

export const listResultsRoute = defineRoute({
  method: 'GET',
  path: '/v1/files/{id}/results',
  summary: 'The users of a file with their outcomes, in the order of their rows',
  access: 'files:read',
  params,
  query: z.strictObject({
    ...PageQuery,
    status: ResultStatus.optional().meta({
      description: 'A page may then hold fewer than `limit`, or none, and not be the last.',
    }),
  }),
  reply: { status: 200, schema: pageOf(Result) },
  refusals: ['not_found', 'invalid_cursor'],
});

export const exportFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/export',
  summary: 'A link to the results or malformed rows of a file, as NDJSON',
  access: 'files:read',
  params,
  body: z
    .strictObject({
      what: z.enum(['errors', 'results']),
      status: ResultStatus.optional().meta({ description: 'Of results only; all if absent.' }),
      cursor: text(1, 1000).optional().meta({
        description: 'The `nextCursor` of the part before, with the same `what` and `status`.',
      }),
    })
    .superRefine(({ what, ...rest }, context) => {
      if (what === 'results') return;
      for (const name of ['status', 'cursor'] as const) {
        if (rest[name] === undefined) continue;
        context.addIssue({ code: 'custom', path: [name], message: 'belongs to results only' });
      }
    }),
  reply: {
    status: 200,
    schema: z.object({
      url: z.string(),
      expiresAt: z.string(),
      nextCursor: z.string().optional().meta({
        description: 'There where results are too many for one object: ask for the next with it.',
      }),
    }),
  },
  refusals: ['not_found', 'invalid_cursor'],
});

/** Who got the alerts of a file. */
export const resultRoutes = [listResultsRoute, exportFileRoute];
