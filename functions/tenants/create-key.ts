import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Answer, type Call, type IdempotencyKey, route } from '../shared/http/route.ts';
import { Problem, type ProblemError } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { findApiKey, insertApiKey, toApiKey } from './api-key.store.ts';
import { type ApiKey, lackOf } from './api-key.ts';
import { apiKeyView } from './api-key-view.ts';
import { createKeyRoute, createTenantKeyRoute } from './contract.ts';
import { type DraftedKey, draftKey } from './draft-key.ts';
import { findCaller } from './find-caller.ts';
import { findTenant } from './tenant.store.ts';
import type { Tenant } from './tenant.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

/** POST /v1/keys: nobody makes a key that may do more than their own. */
export const createKey = route(createKeyRoute, async (call, world: Needs) => {
  const { scopes, rateLimit, expiresAt: expiresAtMs } = call.body;
  const lack = lackOf(await findCaller(call, world), { scopes, rateLimit, expiresAtMs });
  if (lack !== undefined) throw new Problem('forbidden_scope', { detail: lack });
  return makeKey({ ...call, scope: 'keys' }, world);
});

/** POST /v1/tenants/{id}/keys, for the operator. */
export const createTenantKey = route(createTenantKeyRoute, async (call, world: Needs) =>
  // A scope of its own: what the operator sends must not meet what the tenant has sent.
  makeKey({ ...call, tenantId: call.params.id, scope: 'keys-by-operator' }, world),
);

interface Wanted {
  readonly tenantId: string;
  readonly scope: string;
  readonly body: Call<typeof createKeyRoute>['body'];
  readonly idempotency: IdempotencyKey | undefined;
}

async function makeKey(wanted: Wanted, world: Needs) {
  const { body, idempotency } = wanted;
  const tenant = await findTenant(world.db, wanted.tenantId);
  if (!tenant) throw new Problem('not_found');
  const nowMs = world.clock.nowMs();
  const id = creationId('key', wanted, world.ids);
  // A repetition comes first: what was allowed then may not be any more.
  const earlier = idempotency && (await findApiKey(world.db, tenant.id, id));
  if (earlier) return replayOfKey(earlier, idempotency, nowMs);
  assertWithin(tenant, body, nowMs);

  const { expiresAt: expiresAtMs, ...rest } = body;
  const wish = { ...rest, id, expiresAtMs, createdAtMs: nowMs, idempotency };
  const drafted = draftKey(tenant, wish, world.ids);
  const commit = await commitDespiteConflicts(world, insertApiKey(drafted.key));
  if (commit.ok) return { body: shownOnce(drafted, nowMs) };

  const taken = commit.reasons[0]?.item;
  if (!taken) throw new Error('a key was refused by something else than its id');
  return answerTaken(toApiKey(taken), drafted, { idempotency, nowMs });
}

/** The only answer that has the key itself. */
export function shownOnce({ key, raw }: DraftedKey, nowMs: number) {
  return { ...apiKeyView(key, nowMs), key: raw };
}

/**
 * The id of the drafted key is taken: by an earlier request, or by this very one, whose commit was
 * done and not known to be.
 */
export function answerTaken(
  winner: ApiKey,
  drafted: DraftedKey,
  { idempotency, nowMs }: Pick<Wanted, 'idempotency'> & { readonly nowMs: number },
): Answer<ReturnType<typeof shownOnce> | ReturnType<typeof apiKeyView>> {
  if (winner.hash === drafted.key.hash) return { body: shownOnce(drafted, nowMs) };
  return replayOfKey(winner, idempotency, nowMs);
}

/** The key as it is now. It was shown by the first answer and is not repeated. */
export function replayOfKey(
  winner: ApiKey,
  idempotency: IdempotencyKey | undefined,
  nowMs: number,
): Answer<ReturnType<typeof apiKeyView>> {
  assertSameRequest(winner, idempotency);
  return { body: apiKeyView(winner, nowMs), replayed: true };
}

/** Refuses a limit above that of the tenant, and a time that is past, each with its pointer. */
function assertWithin({ limits }: Tenant, body: Wanted['body'], nowMs: number): void {
  const errors: ProblemError[] = [];
  const fault = (pointer: string, detail: string) =>
    errors.push({ pointer, code: 'invalid', detail });
  const { perSecond = 0, burst = 0 } = body.rateLimit ?? {};
  if (perSecond > limits.requestsPerSecond) {
    fault('/rateLimit/perSecond', `is above that of the tenant, ${limits.requestsPerSecond}`);
  }
  if (burst > limits.burst) fault('/rateLimit/burst', `is above the tenant's, ${limits.burst}`);
  if (body.expiresAt !== undefined && body.expiresAt <= nowMs) {
    fault('/expiresAt', 'must be in the future');
  }
  if (errors.length === 0) return;
  const detail = errors.map((it) => `${it.pointer}: ${it.detail}`).join('; ');
  throw new Problem('validation_failed', { detail, errors });
}
