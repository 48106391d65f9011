import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { keyedFingerprint } from '../shared/keyed-fingerprint.ts';
import { Problem } from '../shared/problem.ts';
import { type MasterKey, readMasterKey } from '../shared/sealed.ts';
import type { Item, World } from '../shared/world.ts';
import { createSourceRoute } from './source.contract.ts';
import { insertSource, toSource } from './source.store.ts';
import type { Source } from './source.ts';
import { sealSecret } from './source-sealing.ts';
import { sourceView } from './source-view.ts';

type SourceCall = Call<typeof createSourceRoute>;
type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'secrets'>;

/** POST /v1/sources: one write. */
export const createSource = route(createSourceRoute, async (call, world: Needs) => {
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const source = draftSource(call, masterKey, world);
  const commit = await commitDespiteConflicts(world, [insertSource(source)]);
  if (commit.ok) return { body: sourceView(source, call) };
  const taken = commit.reasons[0]?.item;
  assertSameRequest(taken ?? {}, requestOf(call, masterKey, taken));
  const earlier = toSource(taken);
  if (!earlier) throw new Problem('conflict', { detail: 'This source was deleted.' });
  return { body: sourceView(earlier, call), replayed: call.idempotency !== undefined };
});

function draftSource(call: SourceCall, masterKey: MasterKey, { clock, ids }: Needs): Source {
  const { tenantId, idempotency } = call;
  const { secret, dedupe, ...terms } = call.body;
  const id = creationId('src', { tenantId, scope: 'sources', idempotency }, ids);
  const nowMs = clock.nowMs();
  const sealer = { masterKey, ids };
  return {
    ...{ ...terms, id, tenantId },
    secrets: secret === undefined ? [] : [sealSecret({ id, tenantId }, secret, sealer)],
    dedupeSeconds: dedupe?.windowSeconds,
    ...{ createdAtMs: nowMs, updatedAtMs: nowMs, revision: 1 },
    fingerprint: requestOf(call, masterKey)?.fingerprint,
  };
}

/** The request has the secret in it: its fingerprint must not help anybody to guess that. */
function requestOf({ tenantId, idempotency }: SourceCall, masterKey: MasterKey, stored?: Item) {
  if (!idempotency) return undefined;
  const { fingerprint, key } = idempotency;
  const context = `${tenantId}#${key}#source`;
  const like = stored && String(stored.fingerprint);
  return { fingerprint: keyedFingerprint(masterKey, { fingerprint, context }, like) };
}
