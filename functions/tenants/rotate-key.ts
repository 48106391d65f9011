import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { endApiKey, findApiKey, insertApiKey, toApiKey } from './api-key.store.ts';
import { type ApiKey, endOf, lackOf, statusAt } from './api-key.ts';
import { rotateKeyRoute } from './contract.ts';
import { answerTaken, replayOfKey, shownOnce } from './create-key.ts';
import { type DraftedKey, draftKey } from './draft-key.ts';
import { findCaller } from './find-caller.ts';
import { findOwnKey } from './revoke-key.ts';
import { findTenant } from './tenant.store.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;
type RotateCall = Call<typeof rotateKeyRoute>;

/** POST /v1/keys/{id}/rotate. The new key begins and the old one's end is set in one commit. */
export const rotateKey = route(rotateKeyRoute, async (call, world: Needs) => {
  const old = await findOwnKey(world, call.tenantId, call.params.id);
  const lack = lackOf(await findCaller(call, world), old);
  if (lack !== undefined) throw new Problem('forbidden_scope', { detail: lack });
  const nowMs = world.clock.nowMs();
  const drafted = await draftSuccessor(old, call, world);
  const { key } = drafted;
  if (statusAt(old, nowMs) !== 'active') return answerEnded(old, { key, call }, world);

  const { overlapSeconds } = call.body;
  const atMs = endOf(old, nowMs + overlapSeconds * SECOND_MS);
  const end = endApiKey(old, { atMs, atOnce: overlapSeconds === 0 });
  const writes = [...insertApiKey(key), ...end];
  const commit = await commitDespiteConflicts(world, writes);
  if (commit.ok) return { body: shownOnce(drafted, nowMs) };

  const taken = commit.reasons[0]?.item;
  if (!taken) throw endedMeanwhile();
  return answerTaken(toApiKey(taken), drafted, { idempotency: call.idempotency, nowMs });
});

async function draftSuccessor(old: ApiKey, call: RotateCall, world: Needs): Promise<DraftedKey> {
  const { tenantId, idempotency } = call;
  const tenant = await findTenant(world.db, tenantId);
  if (!tenant) throw new Problem('not_found');
  const { name, scopes, rateLimit, expiresAtMs } = old;
  const id = creationId('key', { tenantId, scope: 'keys', idempotency }, world.ids);
  const createdAtMs = world.clock.nowMs();
  const wish = { id, name, scopes, rateLimit, expiresAtMs, createdAtMs, idempotency };
  return draftKey(tenant, wish, world.ids);
}

/** The key has ended: by this very request, whose answer got lost, or by another one. */
async function answerEnded(
  old: ApiKey,
  { key, call }: { readonly key: ApiKey; readonly call: RotateCall },
  { clock, db }: Needs,
) {
  const winner = call.idempotency && (await findApiKey(db, old.tenantId, key.id));
  if (winner) return replayOfKey(winner, call.idempotency, clock.nowMs());
  throw endedMeanwhile();
}

function endedMeanwhile(): Problem {
  return new Problem('conflict', { detail: 'This key is not active any more. Make a new one.' });
}
