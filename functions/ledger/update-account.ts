import { insertEvent } from '../events/event.store.ts';
import { type Call, route } from '../shared/http/route.ts';
import { formatMinor } from '../shared/money.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { updateAccountRoute } from './account.contract.ts';
import { type AccountWithDetails, accountKey, findAccount, saveAccount } from './account.store.ts';
import { type AccountStatus, assertLimited, balanceOf } from './account.ts';
import { accountEvent, accountView, type ShownBalance } from './account-view.ts';
import { commitMoney, type Step } from './commit-money.ts';
import { findDerivedBalance } from './find-derived-balance.ts';
import { statementOf } from './statement.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;
type UpdateCall = Call<typeof updateAccountRoute>;

/**
 * PATCH /v1/accounts/{id}: {account, details, event} in one commit; nothing where nothing changes.
 * Refuses with `conflict` to close an account that is not empty, and to open a closed one; with
 * `not_available` to close a derived one, whose balance is seconds old.
 */
export const updateAccount = route(updateAccountRoute, async (call, world: Needs) => {
  const body = await commitMoney(world, () => look(call, world));
  return { body };
});

async function look(call: UpdateCall, world: Needs): Promise<Step<ReturnType<typeof accountView>>> {
  const found = await findAccount(world.db, call.tenantId, call.params.id);
  if (!found) throw new Problem('not_found');
  const shown = await shownBalance(found, world);
  const updated = change(found, call, shown);
  const view = accountView(updated, shown);
  if (JSON.stringify(view) === JSON.stringify(accountView(found, shown))) return { done: view };
  // A status that changes is a condition of the commit; one that stays is only told and listed.
  const isKept = updated.account.status === found.account.status;
  if (isKept && !(await isStill(found.account, world))) return look(call, world);
  const event = accountEvent(updated, {
    type: 'account.updated',
    id: world.ids.next('evt'),
    occurredAtMs: world.clock.nowMs(),
    traceparent: call.traceparent,
    hops: call.hops,
    ...(shown && { shown }),
  });
  return { result: view, writes: [...saveAccount(found, updated), insertEvent(event)] };
}

/**
 * Whether the stored status is the one that was found: a query is no snapshot, and may have seen
 * only the details of another change.
 */
async function isStill(
  { tenantId, id, status }: AccountWithDetails['account'],
  { db }: Needs,
): Promise<boolean> {
  return (await db.get('ledger', accountKey(tenantId, id)))?.status === status;
}

/** Undefined for an account that stores its own. */
async function shownBalance(
  { account }: AccountWithDetails,
  world: Needs,
): Promise<ShownBalance | undefined> {
  if (account.mode === 'limited') return undefined;
  return { balance: await findDerivedBalance(world, statementOf(account)) };
}

function change(
  { account, details }: AccountWithDetails,
  { body }: UpdateCall,
  shown: ShownBalance | undefined,
): AccountWithDetails {
  const { name = details.name, metadata = details.metadata, status = account.status } = body;
  const balance = shown?.balance ?? balanceOf(account);
  if (status !== account.status) assertMay(status, { account, balance });
  return { account: { ...account, status }, details: { ...details, name, metadata } };
}

function assertMay(
  status: AccountStatus,
  { account, balance }: { readonly account: AccountWithDetails['account']; balance: bigint },
): void {
  const { id, held } = account;
  if (account.status === 'closed') {
    throw new Problem('conflict', { detail: `${id} is closed, which is final.` });
  }
  const show = (minor: bigint) => formatMinor(minor, account.currency);
  if (status === 'closed') assertLimited(account, 'sure end: freeze it instead');
  if (status !== 'closed' || (balance === 0n && held === 0n)) return;
  throw new Problem('conflict', {
    detail: `${id} has ${show(balance)}, of which ${show(held)} held: only an empty one is closed.`,
  });
}
