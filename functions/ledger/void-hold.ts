import { route } from '../shared/http/route.ts';
import { deriveId } from '../shared/ids/derive.ts';
import type { World } from '../shared/world.ts';
import { voidHoldRoute } from './hold.contract.ts';
import { holdView } from './hold-view.ts';
import { releaseHold } from './release-hold.ts';
import { MONEY_SCOPE } from './transaction-draft.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

/** POST /v1/holds/{id}/void. Passes whatever the status of the account. */
export const voidHold = route(voidHoldRoute, async (call, world: Needs) => {
  const { tenantId, params, idempotency, traceparent, hops } = call;
  // The contract requires a key.
  const id = deriveId('rel', tenantId, MONEY_SCOPE, idempotency?.key ?? '');
  const { hold, replayed } = await releaseHold(world, {
    ...{ id, tenantId, holdId: params.id, status: 'voided', traceparent, hops },
    fingerprint: idempotency?.fingerprint,
  });
  return { body: holdView(hold), replayed };
});
