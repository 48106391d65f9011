import { creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { openBooks } from './books.store.ts';
import { commitMoney, type Plan, type Step } from './commit-money.ts';
import { captureHoldRoute } from './hold.contract.ts';
import { findEnded, findHold, findResolved, saveResolution } from './hold.store.ts';
import { type CaptureDraft, captureMoney, type Hold } from './hold.ts';
import { holdCaptured, holdView } from './hold-view.ts';
import { decideOrReject, type Posting, planOf, refusalOf, replayOf } from './post-transaction.ts';
import { letShow, readWhole } from './read-whole.ts';
import { findReversedBy } from './transaction.store.ts';
import { accountIdsOf, type Books } from './transaction.ts';
import { MONEY_SCOPE } from './transaction-draft.ts';
import { transactionView } from './transaction-view.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;
type CaptureCall = Call<typeof captureHoldRoute>;

/** The hold as it is after it, and the transaction. */
interface Capture extends Posting {
  readonly hold: Hold;
}

/**
 * POST /v1/holds/{id}/capture. Refuses with `hold_resolved`, with `limit_exceeded` for more than is
 * held, and like a transfer.
 */
export const captureHold = route(captureHoldRoute, async (call, world: Needs) => {
  const capture = await commitMoney<Capture>(world, () => look(call, world));
  const { hold, transaction, replayed } = capture;
  if (transaction.refusal) throw refusalOf(transaction, replayed);
  const { tenantId, id } = transaction;
  const reversedBy = replayed ? await findReversedBy(world.db, tenantId, id) : undefined;
  const view = transactionView(transaction, reversedBy);
  return { body: { hold: holdView(hold), transaction: view }, replayed };
});

async function look(call: CaptureCall, world: Needs): Promise<Step<Capture>> {
  const { tenantId, params } = call;
  const found = await findHold(world.db, tenantId, params.id);
  if (!found) throw new Problem('not_found');
  const draft = draftCapture(call, found, world);
  const terms = { recordId: draft.id, accountIds: accountIdsOf(draft) };
  const { earlier, books } = await openBooks(world.db, tenantId, terms);
  if (earlier) {
    const posting = replayOf(earlier, draft);
    const isRefused = posting.transaction.status === 'rejected';
    const hold = isRefused ? found : await readWhole(world, () => findEnded(world.db, found));
    return { done: { ...posting, hold } };
  }
  const plan = planCapture(found, draft, { books, world });
  if (plan.result.transaction.status === 'rejected') {
    // The room that is missing may be what another capture of the hold has taken.
    await letShow(world);
    const now = await findResolved(world.db, found);
    if (now.status !== 'pending') return look(call, world);
  }
  return plan;
}

function planCapture(
  found: Hold,
  draft: CaptureDraft,
  { books, world }: { readonly books: Books; readonly world: Needs },
): Plan<Capture> {
  const decide = (nowMs: number) => captureMoney(found, draft, { books, nowMs });
  const decision = decideOrReject(world, draft, { books, decide });
  const hold = 'hold' in decision ? decision.hold : found;
  const { result, ...plan } = planOf(world, decision, {
    before: books,
    also: [saveResolution(hold)],
    tell: (transaction) => holdCaptured(hold, transaction),
  });
  return { ...plan, result: { ...result, hold } };
}

function draftCapture(
  { tenantId, idempotency, body, traceparent, hops }: CaptureCall,
  hold: Hold,
  { ids }: Pick<Needs, 'ids'>,
): CaptureDraft {
  const { id: holdId, accountId: sourceId, currency } = hold;
  const destinationId = body.destinationAccountId ?? hold.destinationId;
  const amount = body.amount ?? hold.amount;
  return {
    id: creationId('txn', { tenantId, scope: MONEY_SCOPE, idempotency }, ids),
    tenantId,
    type: 'capture',
    postings: destinationId ? [{ sourceId, destinationId, amount, currency }] : [],
    description: body.description,
    reference: body.reference,
    metadata: body.metadata,
    holdId,
    fingerprint: idempotency?.fingerprint,
    traceparent,
    hops,
  };
}
