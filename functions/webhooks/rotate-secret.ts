import { route } from '../shared/http/route.ts';
import { readMasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { rotateSecretRoute } from './endpoint.contract.ts';
import { saveEndpoint } from './endpoint.store.ts';
import { rotateSecrets } from './endpoint-sealing.ts';
import { newSecret } from './signature.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'secrets'>;

/**
 * POST /v1/endpoints/{id}/secret/rotate. While the grace runs, webhooks carry a signature by each
 * secret that still lives, at most three, so that no receiver has to change in the same moment.
 */
export const rotateSecret = route(rotateSecretRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  const { graceSeconds, secret = newSecret(world.ids) } = body;
  const sealer = {
    masterKey: readMasterKey(await world.secrets.read('master-key')),
    ids: world.ids,
  };
  await changeEndpoint({ tenantId, id: params.id }, world, (before) => {
    const nowMs = world.clock.nowMs();
    const secrets = rotateSecrets(before, { secret, graceSeconds, nowMs }, sealer);
    const writes = saveEndpoint(before, { ...before, secrets, updatedAtMs: nowMs });
    return { result: undefined, writes };
  });
  return { body: { secret } };
});
