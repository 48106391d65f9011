import { type Call, type Contract, route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import {
  cancelFileRoute,
  pauseFileRoute,
  releaseFileRoute,
  resumeFileRoute,
  retryFileRoute,
} from './action.contract.ts';
import { careMessage } from './care-message.ts';
import { changeFile } from './change-file.ts';
import { unmarkContent } from './content.store.ts';
import type { AlertFile } from './file.ts';
import {
  assertReachable,
  cancelFile,
  type FileAction,
  pauseFile,
  releaseFile,
  resumeFile,
  retryFile,
} from './file-action.ts';
import { fileView } from './file-view.ts';
import { findProgress } from './find-progress.ts';
import { uploadReminder } from './upload-message.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** POST /v1/files/{id}/pause. */
export const pause = route(pauseFileRoute, async (call, world: Needs) => ({
  body: await act(call, { action: (file, nowMs) => pauseFile(file, nowMs) }, world),
}));

/** POST /v1/files/{id}/resume. */
export const resume = route(resumeFileRoute, async (call, world: Needs) => ({
  body: await act(call, { action: resumeFile, wasPaused: true }, world),
}));

/** POST /v1/files/{id}/release, which also approves. */
export const release = route(releaseFileRoute, async (call, world: Needs) => ({
  body: await act(call, { action: releaseFile }, world),
}));

/** POST /v1/files/{id}/cancel. Told at once is only of a file of which nothing was sent. */
export const cancel = route(cancelFileRoute, async (call, world: Needs) => {
  const action: FileAction = (file, nowMs) => {
    const step = cancelFile(file, nowMs);
    if (step?.tells !== 'file.cancelled') return step;
    return { ...step, besides: (db) => unmarkContent(db, step.file) };
  };
  return { body: await act(call, { action }, world) };
});

/** POST /v1/files/{id}/retry: those who failed or are uncertain; or the reading, if that failed. */
export const retry = route(retryFileRoute, async (call, world: Needs) => {
  const { tenantId, params } = call;
  const name = { tenantId, fileId: params.id };
  const seen = await findProgress(world, name);
  let retried = 0;
  const action: FileAction = (file, nowMs) => {
    retried = file.failed + file.uncertain;
    return retryFile(file, nowMs, seen?.uncertain);
  };
  if (seen && seen.state !== 'failed') {
    assertReachable(await findEndpoint(world.db, tenantId, seen.endpointId));
  }
  const { file } = await changeFile(name, action, world);
  await hurry(file, world);
  return { body: { ...fileView(file), retried } };
});

interface Wish {
  readonly action: FileAction;
  /** What its workers were told meanwhile was in vain. */
  readonly wasPaused?: boolean;
}

/** A state that it has already is answered as it is, so that a repetition is harmless. */
async function act(
  { tenantId, params }: Pick<Call<Contract & typeof pauseFileRoute>, 'tenantId' | 'params'>,
  { action, ...how }: Wish,
  world: Needs,
) {
  const name = { tenantId, fileId: params.id };
  const { file, changed } = await changeFile(name, action, world);
  if (changed) await hurry(file, world, how);
  return fileView((await findProgress(world, name)) ?? file);
}

/** The file is due, so that a message which gets lost is only late. */
async function hurry(
  file: AlertFile,
  { clock, log, queues }: Needs,
  how: Pick<Wish, 'wasPaused'> = {},
): Promise<void> {
  const isDue = file.dueMs !== undefined && file.dueMs <= clock.nowMs();
  try {
    if (file.state === 'parsing') await queues.send('file-events', [uploadReminder(file)]);
    else if (isDue) await queues.send('file-care', [careMessage(file, how)]);
  } catch (error) {
    log.warn('message.lost', { file: file.id, error });
  }
}
