import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { route } from '../shared/http/route.ts';
import { forwardedHeaders } from './incoming.ts';
import { createWebhookRoute } from './receipt.contract.ts';
import { draftReceipt } from './receipt-draft.ts';
import { API_SOURCE, apiTerms, FORWARD_AS_DEFAULT } from './source.ts';
import { countRequest, type StoringNeeds, storeReceipt } from './store-receipt.ts';

type Needs = StoringNeeds & {
  /** How many webhooks of one tenant may be open at a time. */
  readonly apiBacklogMax: number;
};

/** POST /v1/webhooks: stored before the answer, under its Idempotency-Key. */
export const createWebhook = route(createWebhookRoute, async (call, world: Needs) => {
  const { tenantId, idempotency, dailyEvents, traceparent, hops } = call;
  const terms = apiTerms(tenantId, world.apiBacklogMax);
  const wish = {
    id: creationId('rcp', { tenantId, scope: 'inbox', idempotency }, world.ids),
    tenantId,
    sourceId: API_SOURCE,
    contentType: 'application/json',
    headers: forwardedHeaders(call),
    forwardAs: FORWARD_AS_DEFAULT,
    fingerprint: idempotency?.fingerprint,
    ...{ traceparent, hops },
  };
  const body = call.bytes();
  const receipt = draftReceipt(wish, body, world);
  const stored = await countRequest(world, async () => {
    const draft = { receipt, body, isKnown: true, dailyEvents };
    const found = await storeReceipt(draft, terms, world);
    if (!found.isNew) assertSameRequest(found.receipt, receipt);
    return found;
  });
  const { id, status } = stored.receipt;
  return { body: { id, status }, status: stored.isNew ? 202 : 200, replayed: !stored.isNew };
});
