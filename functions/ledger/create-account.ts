import { insertEvent } from '../events/event.store.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { type AccountWithDetails, findAccount, insertAccount } from './account.store.ts';
import { type AccountDetails, openAccount } from './account.ts';
import { accountCreated, accountView } from './account-view.ts';
import { createAccountRoute } from './contract.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'>;

/** POST /v1/accounts. Refuses with `conflict` when the external id is taken. */
export const createAccount = route(createAccountRoute, async (call, world: Needs) => {
  const created = draftAccount(call, world);
  const event = accountCreated(created, world.ids.next('evt'), call.traceparent);
  const { account, details } = created;
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
  const { currency, minBalance } = body;
  const account = openAccount({ id, tenantId, currency, minBalance }, clock.nowMs());
  const { name, externalId, metadata } = body;
  return {
    account,
    details: { name, externalId, metadata, fingerprint: idempotency?.fingerprint },
  };
}

async function replay(
  { tenantId, idempotency }: Call<typeof createAccountRoute>,
  accountId: string,
  { db }: Needs,
) {
  const found = await findAccount(db, tenantId, accountId);
  if (!found) throw new Error(`account ${accountId} was taken, but is not there`);
  assertSameRequest(found.details, idempotency);
  return { body: accountView(found), replayed: true };
}

function externalIdTaken({ externalId }: AccountDetails): Problem {
  const detail = `Another account has the externalId ${JSON.stringify(externalId)}.`;
  return new Problem('conflict', {
    detail,
    errors: [{ pointer: '/externalId', code: 'taken', detail }],
  });
}
