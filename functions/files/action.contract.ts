import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id } from '../shared/wire.ts';
import { File } from './file.contract.ts';

const params = z.object({ id: id('fil') });
const reply = { status: 202, schema: File } as const;

export const pauseFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/pause',
  summary: 'Begin no further batch of a file; retries that are under way go on',
  access: 'files:write',
  params,
  reply,
  refusals: ['not_found', 'conflict', 'busy'],
});

export const resumeFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/resume',
  summary: 'Let a paused file go on',
  access: 'files:write',
  params,
  reply,
  refusals: ['not_found', 'conflict', 'busy'],
});

export const releaseFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/release',
  summary: 'Let the alerts begin of a file that is ready or needs approval',
  access: 'files:write',
  params,
  reply,
  refusals: ['not_found', 'conflict', 'busy'],
});

export const cancelFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/cancel',
  summary: 'End a file; whom it has not alerted by the end of the present batch, it never will',
  access: 'files:write',
  params,
  reply,
  refusals: ['not_found', 'conflict', 'busy'],
});

export const retryFileRoute = defineRoute({
  method: 'POST',
  path: '/v1/files/{id}/retry',
  summary: 'Send a file again to whom it failed to reach, or read it again if it could not be read',
  access: 'files:write',
  params,
  reply: {
    status: 202,
    schema: File.extend({
      retried: z.int().meta({
        description: 'Users who failed or are uncertain, each of whom gets the alert once more.',
      }),
    }),
  },
  refusals: ['not_found', 'not_retryable', 'busy'],
});

/** What a person can do with a file. */
export const actionRoutes = [
  pauseFileRoute,
  resumeFileRoute,
  releaseFileRoute,
  cancelFileRoute,
  retryFileRoute,
];
