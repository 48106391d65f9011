import type * as z from 'zod';
import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { wordsOf } from '../shared/http/fault-words.ts';
import type { World } from '../shared/world.ts';
import { isTenant } from '../tenants/find-limits.ts';
import { findEndpoint } from '../webhooks/endpoint.store.ts';
import { createFileRoute } from './contract.ts';
import { type DroppedObject, dropFileId, headerOf, saidBy } from './dropped-object.ts';
import { findFile, insertFile } from './file.store.ts';
import { type AlertFile, failFile, newFile } from './file.ts';
import type { FileError } from './file-fault.ts';
import { TERMS_DEFAULT, termsOf } from './file-terms.ts';
import { fileEvent } from './file-view.ts';
import { parseFile, type UploadedFile } from './parse-file.ts';
import { insertStray, strayKey } from './stray-drop.store.ts';
import type { UploadMessage } from './upload-message.ts';

type Needs = Pick<
  World,
  'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'metrics' | 'queues'
>;

/** Reads an upload; for a dropped object, its file is made before. Safe to repeat. */
export async function takeUpload(
  upload: z.output<typeof UploadMessage>,
  world: Needs,
  receipt: { readonly deadlineMs: number },
): Promise<void> {
  const isDrop = upload !== undefined && 'key' in upload;
  await parseFile(isDrop ? await takeDrop(upload, world) : upload, world, receipt);
}

const ENDPOINT_MISSING: FileError = {
  code: 'endpoint_not_found',
  detail:
    'The folder names no endpoint of the tenant. Put the file under drop/<tenant>/<endpoint>/.',
};

/**
 * The file of a dropped object, made now if no event has told of it before. Undefined where there
 * is nothing to read: the object is gone, it is nobody's, or the file has failed.
 */
async function takeDrop(drop: DroppedObject, world: Needs): Promise<UploadedFile | undefined> {
  const { bucket, clock, db, ids, log } = world;
  const { tenantId, endpointId, objectVersion } = drop;
  const id = dropFileId(bucket.name, drop);
  const taken = { tenantId, fileId: id, objectVersion };
  if (await findFile(db, taken)) return taken;

  const facts = await bucket.stat(drop.key, objectVersion);
  if (!facts) return undefined;
  const isKnown = await isTenant(world, tenantId);
  if (!isKnown || endpointId === undefined) {
    const event = isKnown ? 'drop.no-endpoint' : 'drop.unknown-tenant';
    await tellOfStray(taken, { event, key: drop.key, bytes: facts.bytes }, world);
    return undefined;
  }
  const nowMs = clock.nowMs();
  const { file, error } = await draft({ ...drop, endpointId }, { id, facts, nowMs }, world);
  const stored = error ? failFile(file, error) : file;
  const event = fileEvent(stored, 'file.failed', { id: ids.next('evt'), nowMs });
  const writes = [insertFile(stored, nowMs), ...(error ? [insertEvent(event)] : [])];
  // What refuses it is that another event of the same drop has just made the same file.
  await commitDespiteConflicts(world, writes);
  log.info('drop.taken', { tenant: tenantId, file: id, key: drop.key, code: error?.code });
  return error ? undefined : taken;
}

/** Once, however often events and the hourly look tell of it. */
async function tellOfStray(
  name: UploadedFile,
  { event, ...facts }: { readonly event: string; readonly key: string; readonly bytes: number },
  { clock, db, log, metrics }: Needs,
): Promise<void> {
  if (await db.get('files', strayKey(name))) return;
  metrics.count('DropsOfNobody');
  log.error(event, facts);
  await db.commit([insertStray(name, clock.nowMs())]);
}

interface Found {
  readonly id: AlertFile['id'];
  readonly facts: { readonly bytes: number; readonly metadata?: Readonly<Record<string, string>> };
  readonly nowMs: number;
}

const Said = createFileRoute.body.omit({ name: true, size: true, endpointId: true });

async function draft(
  drop: DroppedObject & { readonly endpointId: AlertFile['endpointId'] },
  { id, facts, nowMs }: Found,
  { db }: Needs,
): Promise<{ readonly file: AlertFile; readonly error?: FileError }> {
  const { tenantId, endpointId, name, key: objectKey, objectVersion } = drop;
  const endpoint = await findEndpoint(db, tenantId, endpointId);
  const said = Said.safeParse(saidBy(facts.metadata ?? {}), { error: wordsOf });
  const place = { objectKey, objectVersion, fingerprint: undefined };
  const terms =
    endpoint && said.success
      ? termsOf(said.data, endpoint)
      : { ...TERMS_DEFAULT, onUnknown: 'resend' as const };
  const file = newFile(
    { ...terms, ...place, id, tenantId, name, bytes: facts.bytes, endpointId },
    nowMs,
  );
  if (!endpoint) return { file, error: ENDPOINT_MISSING };
  return said.success ? { file } : { file, error: metadataFault(said.error) };
}

/** So many stand in the sentence for people. */
const FAULTS_TOLD_MAX = 5;

function metadataFault({ issues }: z.ZodError): FileError {
  const faults = issues.flatMap(toFaults).slice(0, FAULTS_TOLD_MAX);
  const detail = `The metadata of the object do not fit: ${faults.join('; ')}.`;
  return { code: 'metadata_invalid', detail };
}

/** Each with the header as it was given, in the words of the API. */
function toFaults(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((term) => `${headerOf(term)} is no setting of a drop`);
  }
  return [`${headerOf(String(issue.path[0]))} ${issue.message}`];
}
