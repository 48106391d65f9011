import { assertSameRequest } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { deriveId } from '../shared/ids/derive.ts';
import { keyedFingerprint } from '../shared/keyed-fingerprint.ts';
import { type MasterKey, readMasterKey } from '../shared/sealed.ts';
import type { World } from '../shared/world.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { rotateSecretRoute } from './endpoint.contract.ts';
import { saveEndpoint } from './endpoint.store.ts';
import type { Rotation } from './endpoint.ts';
import { findRotated, rotateSecrets } from './endpoint-sealing.ts';
import { newSecret } from './signature.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'secrets'>;
type RotateCall = Call<typeof rotateSecretRoute>;
type Told = { readonly secret: string; readonly replayed: boolean };

/**
 * POST /v1/endpoints/{id}/secret/rotate. While the grace runs, webhooks carry a signature by each
 * secret that still lives, at most three, so that no receiver has to change in the same moment. A
 * repetition with the same Idempotency-Key tells the secret again that the first one has made: one
 * more would end the oldest, which the receivers may still go by.
 */
export const rotateSecret = route(rotateSecretRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  const { graceSeconds, secret = newSecret(world.ids) } = body;
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const sealer = { masterKey, ids: world.ids };
  const name = { tenantId, id: params.id };
  const { replayed, ...made } = await changeEndpoint<Told>(name, world, (before) => {
    const nowMs = world.clock.nowMs();
    const rotation = rotationOf(call, masterKey);
    const found = findRotated(before, rotation, { masterKey, nowMs });
    if (found) {
      assertSameRequest(found.rotation, rotationOf(call, masterKey, found.rotation.fingerprint));
      return { result: { secret: found.secret, replayed: true }, writes: [] };
    }
    const secrets = rotateSecrets(before, { secret, rotation, graceSeconds, nowMs }, sealer);
    const writes = saveEndpoint(before, { ...before, secrets, updatedAtMs: nowMs });
    return { result: { secret, replayed: false }, writes };
  });
  return { body: made, replayed };
});

/** The request may have a secret in it: its fingerprint must not help anybody to guess that. */
function rotationOf(
  { tenantId, params, idempotency }: RotateCall,
  masterKey: MasterKey,
  like?: string,
): Rotation | undefined {
  if (!idempotency) return undefined;
  const { key, fingerprint } = idempotency;
  const id = deriveId('rotation', tenantId, params.id, key);
  return { id, fingerprint: keyedFingerprint(masterKey, { fingerprint, context: id }, like) };
}
