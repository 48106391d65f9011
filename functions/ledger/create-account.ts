import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { createAccountRoute } from './account.contract.ts';
import { type AccountWithDetails, findAccount, insertAccount } from './account.store.ts';
import { type AccountDetails, openAccount } from './account.ts';
import { accountEvent, accountView } from './account-view.ts';
import { viewNow } from './find-derived-balance.ts';
import { readWhole } from './read-whole.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

/** POST /v1/accounts. Refuses with `conflict` when the external id is taken. */
export const createAccount = route(createAccountRoute, async (call, world: Needs) => {
  const created = draftAccount(call, world);
  const { account, details } = created;
  const event = accountEvent(created, {
    type: 'account.created',
    id: world.ids.next('evt'),
    occurredAtMs: account.createdAtMs,
    traceparent: call.traceparent,
    hops: call.hops,
  });
  const commit = await commitDespiteConflicts(world, [
    ...insertAccount(account, details),
    insertEvent(event),
  ]);
  if (commit.ok) return { body: accountView(created) };

  // The condition on the account itself is the first of the commit.
  if (commit.reasons[0]?.code === 'condition') return replay(call, account.id, world);
  throw externalIdTaken(details);
});

function draftAccount(
  { tenantId, idempotency, body }: Call<typeof createAccountRoute>,
  { ids, clock }: Needs,
): AccountWithDetails {
  const id = creationId('acc', { tenantId, scope: 'accounts', idempotency }, ids);
  const { currency, mode } = body;
  const account = openAccount({ id, tenantId, currency, mode, ...limitsOf(body) }, clock.nowMs());
  const { name, externalId, metadata } = body;
  return {
    account,
    details: { name, externalId, metadata, fingerprint: idempotency?.fingerprint },
  };
}

/** A derived account has no limits, and may not be given any. */
function limitsOf({ mode, minBalance, maxBalance }: Call<typeof createAccountRoute>['body']) {
  if (mode === 'limited') {
    return {
      minBalance: minBalance === undefined ? 0n : minBalance,
      maxBalance: maxBalance ?? null,
    };
  }
  const asked = { minBalance: minBalance ?? undefined, maxBalance };
  const errors = Object.entries(asked)
    .filter(([, limit]) => limit !== undefined)
    .map(([name]) => ({
      pointer: `/${name}`,
      code: 'not_available',
      detail: 'is not for a derived account: it has no stored balance to hold against a limit',
    }));
  if (errors.length === 0) return { minBalance: null, maxBalance: null };
  throw new Problem('not_available', {
    detail: errors.map((it) => `${it.pointer} ${it.detail}`).join('; '),
    errors,
  });
}

async function replay(
  { tenantId, idempotency }: Call<typeof createAccountRoute>,
  accountId: string,
  world: Needs,
) {
  const found = await readWhole(world, () => findAccount(world.db, tenantId, accountId));
  assertSameRequest(found.details, idempotency);
  return { body: await viewNow(found, world), replayed: true };
}

function externalIdTaken({ externalId }: AccountDetails): Problem {
  const detail = `Another account has the externalId ${JSON.stringify(externalId)}.`;
  return new Problem('conflict', {
    detail,
    errors: [{ pointer: '/externalId', code: 'taken', detail }],
  });
}
