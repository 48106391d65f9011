import * as z from 'zod';
import { defineRoute } from '../shared/http/route.ts';
import { id } from '../shared/wire.ts';
import { File } from './file.contract.ts';

const params = z.object({ id: id('fil') });
const summaries = {
  pause: 'Begin no further batch of a file; retries that are under way go on',
  resume: 'Let a paused file go on',
  release: 'Let the alerts begin of a file that is ready or needs approval',
  cancel: 'End a file; whom it has not alerted by the end of the present batch, it never will',
};

/** What leads a file to another state has one form. */
function action(verb: keyof typeof summaries) {
  return defineRoute({
    method: 'POST',
    path: `/v1/files/{id}/${verb}`,
    summary: summaries[verb],
    access: 'files:write',
    params,
    reply: { status: 202, schema: File },
    refusals: ['not_found', 'conflict', 'busy'],
  });
}

export const pauseFileRoute = action('pause');
export const resumeFileRoute = action('resume');
export const releaseFileRoute = action('release');
export const cancelFileRoute = action('cancel');

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
        description:
          'Users who failed or are uncertain, each of whom gets the alert once more. Who is ' +
          'uncertain in a block that is still being sent is not among them.',
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
