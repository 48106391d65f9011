import * as z from 'zod';
import { idPart } from '../shared/ids/derive.ts';
import { probeEndpoint } from './probe-endpoint.ts';
import { type ReleaseNeeds, releaseDeliveries } from './release-deliveries.ts';

/** A record beside an endpoint that is due. Unknown fields are a later release's. */
export const CareOrder = z.object({ pk: z.string(), sk: z.string(), dueMs: z.number() });

/** Does what is due for an endpoint: a probe through its breaker, or a step of a release. */
export async function careForEndpoint(
  { pk, sk }: z.output<typeof CareOrder>,
  world: ReleaseNeeds,
): Promise<void> {
  if (sk !== 'HEALTH') return releaseDeliveries({ pk, sk }, world);
  const [tenantId = '', endpointId = ''] = pk.split('#');
  await probeEndpoint({ tenantId, id: `end_${idPart(endpointId)}` }, world);
}
