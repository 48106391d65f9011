import { insertEvent } from '../events/event.store.ts';
import { creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { DAY_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import { WORLD } from './account.ts';
import { assertSameRecord, openBooks, saveBooks } from './books.store.ts';
import { commitMoney, type Plan } from './commit-money.ts';
import { createHoldRoute } from './hold.contract.ts';
import { insertHold, toHold } from './hold.store.ts';
import { type Hold, type HoldDraft, openHold } from './hold.ts';
import { holdCreated, holdView } from './hold-view.ts';
import { refusalOf } from './post-transaction.ts';
import { insertTransaction, toTransaction } from './transaction.store.ts';
import {
  type Books,
  type Refusal,
  rejectTransaction,
  storedRefusalOf,
  type Transaction,
} from './transaction.ts';
import { MONEY_SCOPE } from './transaction-draft.ts';

/** Five years, as for whatever else falls due. */
const LASTS_MS_MAX = 5 * 365 * DAY_MS;

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;
type HoldCall = Call<typeof createHoldRoute>;

/** What a key has made: a hold, or the record of its refusal. */
type Opening = { readonly replayed: boolean } & (
  | { readonly hold: Hold }
  | { readonly rejected: Transaction }
);

/** POST /v1/holds. Refuses like a debit of the same amount, and remembers it likewise. */
export const createHold = route(createHoldRoute, async (call, world: Needs) => {
  const draft = draftHold(call, world);
  const opening = await commitMoney<Opening>(world, async () => {
    const terms = { recordId: draft.id, accountIds: accountIdsOf(draft) };
    const { earlier, books } = await openBooks(world.db, draft.tenantId, terms);
    if (earlier) return { done: replay(earlier, draft) };
    return open(call, draft, { books, world });
  });
  const { replayed } = opening;
  if ('rejected' in opening) throw refusalOf(opening.rejected, replayed);
  return { body: holdView(opening.hold), replayed };
});

function draftHold({ tenantId, idempotency, body, hops }: HoldCall, { ids }: Needs): HoldDraft {
  return {
    id: creationId('hld', { tenantId, scope: MONEY_SCOPE, idempotency }, ids),
    tenantId,
    accountId: body.accountId,
    amount: body.amount,
    currency: body.currency,
    destinationId: body.destinationAccountId,
    expiresAtMs: body.expiresAt,
    description: body.description,
    reference: body.reference,
    metadata: body.metadata,
    fingerprint: idempotency?.fingerprint,
    hops,
  };
}

function accountIdsOf({ accountId, destinationId = WORLD }: HoldDraft): string[] {
  return [accountId, destinationId].filter((it) => it !== WORLD);
}

function replay(earlier: Item, draft: HoldDraft): Opening {
  assertSameRecord(earlier, draft);
  const isHold = earlier.id === draft.id;
  return isHold
    ? { hold: toHold(earlier), replayed: true }
    : { rejected: toTransaction(earlier), replayed: true };
}

function open(
  { traceparent }: HoldCall,
  draft: HoldDraft,
  { books, world }: { readonly books: Books; readonly world: Needs },
): Plan<Opening> {
  const nowMs = world.clock.nowMs();
  assertSensible(draft, nowMs);
  try {
    const opened = openHold(draft, books, nowMs);
    const hold = { ...opened.hold, eventId: world.ids.next('evt') };
    const writes = [
      insertHold(hold, nowMs),
      ...saveBooks(books, opened.books),
      insertEvent(holdCreated(hold, { traceparent })),
    ];
    return { result: { hold, replayed: false }, writes };
  } catch (error) {
    const refusal = storedRefusalOf(error);
    if (!refusal) throw error;
    const rejected = rejectHold(draft, refusal, nowMs);
    return { result: { rejected, replayed: false }, writes: [insertTransaction(rejected)] };
  }
}

/** What is wrong whatever the accounts are. A replay comes before: a hold may have expired. */
function assertSensible({ accountId, destinationId, expiresAtMs }: HoldDraft, nowMs: number) {
  if (accountId === destinationId) throw new Problem('same_account');
  if (expiresAtMs === undefined) return;
  const isFuture = expiresAtMs > nowMs;
  if (isFuture && expiresAtMs <= nowMs + LASTS_MS_MAX) return;
  const detail = isFuture ? 'must be within five years' : 'must be in the future';
  throw new Problem('validation_failed', {
    detail: `/expiresAt: ${detail}`,
    errors: [{ pointer: '/expiresAt', code: 'invalid', detail }],
  });
}

function rejectHold(draft: HoldDraft, refusal: Refusal, nowMs: number): Transaction {
  const { tenantId, accountId: sourceId, destinationId, amount, currency } = draft;
  const postings = destinationId ? [{ sourceId, destinationId, amount, currency }] : [];
  const { description, reference, metadata, fingerprint } = draft;
  const notes = { description, reference, metadata, fingerprint };
  const id = `txn_${draft.id.slice('hld_'.length)}` as const;
  return rejectTransaction({ id, tenantId, type: 'hold', postings, ...notes }, refusal, nowMs);
}
