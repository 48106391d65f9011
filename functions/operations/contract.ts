import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';

export const healthRoute = defineRoute({
  method: 'GET',
  path: '/health',
  summary: 'Whether the API answers',
  access: 'public',
  reply: {
    status: 200,
    schema: z.object({ status: z.literal('ok'), build: z.string(), time: z.string() }),
  },
});

/** What no other route matches: API Gateway's own answers are not problem+json. */
export const unmatchedRoute = defineRoute({
  method: 'GET',
  path: '$default',
  summary: 'Answers 404, or 405 with Allow',
  access: 'public',
  reply: { status: 404, schema: z.never() },
  refusals: ['not_found', 'method_not_allowed'],
});

export const operationsRoutes = [healthRoute];
