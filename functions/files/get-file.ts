import type { Uploads } from '../shared/bucket.ts';
import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import { getFileRoute } from './contract.ts';
import type { AlertFile } from './file.ts';
import { etaMs } from './file-looks.ts';
import { fileView } from './file-view.ts';
import { findProgress } from './find-progress.ts';
import { signUpload } from './sign-upload.ts';

type Needs = Pick<World, 'clock' | 'db'> & { readonly uploads: Uploads };

/**
 * GET /v1/files/{id}. The counts include the blocks that are under way. The form of the upload is
 * for keys that may write files: whoever has it decides who is alerted.
 */
export const getFile = route(getFileRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const file = await findProgress(world, { tenantId, fileId: params.id });
  if (!file) throw new Problem('not_found');
  const upload = call.allows('files:write') ? await signUpload(world, file) : undefined;
  return { body: fileView(file, { upload, etaMs: await findEta(file, world) }) };
});

/** Only while it is delivering: a file that waits for a person waits as long as that likes. */
async function findEta(file: AlertFile, { clock, db }: Needs): Promise<number | undefined> {
  if (file.state !== 'delivering') return undefined;
  const endpoint = await findEndpoint(db, file.tenantId, file.endpointId);
  return etaMs(file, endpoint?.perSecond, clock.nowMs());
}
