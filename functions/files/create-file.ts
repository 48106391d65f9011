import type { Uploads } from '../shared/bucket.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { createFileRoute } from './contract.ts';
import { findFile, insertFile } from './file.store.ts';
import { type FileDraft, newFile } from './file.ts';
import { termsOf } from './file-terms.ts';
import { fileView } from './file-view.ts';
import { signUpload } from './sign-upload.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'> & { readonly uploads: Uploads };
type CreateCall = Call<typeof createFileRoute>;

/**
 * POST /v1/files. Refuses with `not_found` when the tenant has no such endpoint; a repetition is
 * answered like the first request, also when the endpoint has gone since.
 */
export const createFile = route(createFileRoute, async (call, world: Needs) => {
  const { tenantId, body } = call;
  const endpoint = await findEndpoint(world.db, tenantId, body.endpointId);
  if (!endpoint) return replayWithout(call, world);

  const nowMs = world.clock.nowMs();
  const file = newFile(draftFile(call, endpoint, world), nowMs);
  const commit = await world.db.commit([insertFile(file, nowMs)]);
  if (!commit.ok) return replay(call, file.id, world);
  return { body: fileView(file, { upload: await signUpload(world, file) }) };
});

function draftFile(
  { tenantId, body, idempotency, traceparent, hops }: CreateCall,
  endpoint: Endpoint,
  { ids }: Needs,
): FileDraft {
  const { name, size, endpointId, ...said } = body;
  return {
    ...termsOf(said, endpoint),
    ...{ tenantId, name, bytes: size, endpointId },
    id: creationId('fil', { tenantId, scope: 'files', idempotency }, ids),
    fingerprint: idempotency?.fingerprint,
    traceparent,
    hops: hops || undefined,
  };
}

/** The first request's file as it is now; its form is signed anew while it waits for the upload. */
async function replay({ tenantId, idempotency }: CreateCall, fileId: string, world: Needs) {
  const file = await findFile(world.db, { tenantId, fileId });
  if (!file) throw new Error(`file ${fileId} was taken, but is not there`);
  assertSameRequest(file, idempotency);
  return { body: fileView(file, { upload: await signUpload(world, file) }), replayed: true };
}

async function replayWithout(call: CreateCall, world: Needs) {
  const { tenantId, idempotency, body } = call;
  if (!idempotency) throw endpointMissing(body.endpointId);
  const fileId = creationId('fil', { tenantId, scope: 'files', idempotency }, world.ids);
  const file = await findFile(world.db, { tenantId, fileId });
  if (!file) throw endpointMissing(body.endpointId);
  return replay(call, fileId, world);
}

function endpointMissing(endpointId: string): Problem {
  const detail = `There is no endpoint ${endpointId}.`;
  return new Problem('not_found', {
    detail,
    errors: [{ pointer: '/endpointId', code: 'not_found', detail }],
  });
}
