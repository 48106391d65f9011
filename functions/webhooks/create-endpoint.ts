import { fullJitterMs } from '../shared/backoff.ts';
import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { keyedFingerprint } from '../shared/keyed-fingerprint.ts';
import { Problem } from '../shared/problem.ts';
import { type MasterKey, readMasterKey } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Item, World } from '../shared/world.ts';
import type { EndpointTerms } from '../tenants/find-limits.ts';
import { createEndpointRoute } from './endpoint.contract.ts';
import { findTaken, growSet, insertEndpoint, toEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import { sealFirstSecret, sealHeaders } from './endpoint-sealing.ts';
import { endpointView } from './endpoint-view.ts';
import { newSecret } from './signature.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'secrets'> & {
  readonly http: Pick<World['http'], 'checkUrl'>;
  endpointTerms(tenantId: string): Promise<EndpointTerms>;
};
type CreateCall = Call<typeof createEndpointRoute>;

/** Creations of one tenant at the same moment meet at its set's version. */
const ROUNDS = 4;
const PAUSE = { baseMs: 25, capMs: SECOND_MS };

/** POST /v1/endpoints. From the next event on the endpoint gets what it wants. */
export const createEndpoint = route(createEndpointRoute, async (call, world: Needs) => {
  const made = await findMade(call, world);
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  if (made) return replay(call, made, masterKey);
  const url = await world.http.checkUrl(call.body.url);
  const secret = call.body.secret ?? newSecret(world.ids);
  const { max, isTest } = await world.endpointTerms(call.tenantId);
  const endpoint = draftEndpoint(call, { url, secret, isTest, masterKey }, world);
  for (let round = 0; round < ROUNDS; round += 1) {
    const commit = await world.db.commit([insertEndpoint(endpoint), growSet(call.tenantId, max)]);
    if (commit.ok) return { body: { ...endpointView(endpoint), secret } };

    const [taken, full] = commit.reasons;
    if (taken?.code === 'condition') return replay(call, taken.item, masterKey);
    if (full?.code === 'condition') throw tooMany(max);
    await world.clock.sleep(fullJitterMs(round, PAUSE, world.ids.random()));
  }
  throw new Problem('busy', {
    detail: 'Other endpoints are being created. Retry with the same Idempotency-Key.',
    retryAfterSeconds: 1,
  });
});

/**
 * What the key has made. Looked for before anything is judged: a name may lead elsewhere by now,
 * and a repetition is answered like the first request.
 */
async function findMade(
  { tenantId, idempotency }: CreateCall,
  { db, ids }: Needs,
): Promise<Item | undefined> {
  if (!idempotency) return undefined;
  const id = creationId('end', { tenantId, scope: 'endpoints', idempotency }, ids);
  return findTaken(db, tenantId, id);
}

interface Draft extends Pick<EndpointTerms, 'isTest'> {
  readonly url: string;
  readonly secret: string;
  readonly masterKey: MasterKey;
}

function draftEndpoint(
  call: CreateCall,
  { url, secret, isTest, masterKey }: Draft,
  { clock, ids }: Needs,
): Endpoint {
  const { tenantId, idempotency, body } = call;
  const id = creationId('end', { tenantId, scope: 'endpoints', idempotency }, ids);
  const sealer = { masterKey, ids };
  const { eventTypes, description, status, onUnknown, fileDefaults } = body;
  const { maxAttempts, schedule } = body.retry;
  return {
    ...{ id, tenantId, url, eventTypes, description, status, onUnknown, fileDefaults },
    disabledReason: status === 'disabled' ? 'by_tenant' : undefined,
    retry: { maxAttempts, scheduleSeconds: schedule, isTest: isTest || undefined },
    timeoutMs: Math.round(body.timeoutSeconds * SECOND_MS),
    perSecond: body.rateLimit?.perSecond,
    secrets: sealFirstSecret({ tenantId, id }, secret, sealer),
    headers: body.headers && sealHeaders({ tenantId, id }, body.headers, sealer),
    createdAtMs: clock.nowMs(),
    fingerprint: requestOf(call, masterKey)?.fingerprint,
  };
}

/** The endpoint as it is now. Its secret was shown by the first answer and is not repeated. */
function replay(call: CreateCall, item: Item | undefined, masterKey: MasterKey) {
  const endpoint = toEndpoint(item);
  if (!endpoint) {
    throw new Problem('conflict', {
      detail: 'The endpoint that this Idempotency-Key has made was deleted. Take another key.',
    });
  }
  assertSameRequest(endpoint, requestOf(call, masterKey, endpoint));
  return { body: endpointView(endpoint), replayed: true };
}

/**
 * The request may have a secret in it, and values of headers: its fingerprint must not help anybody
 * to guess those. What an earlier release has stored is compared as that made it.
 */
function requestOf(
  { tenantId, idempotency }: CreateCall,
  masterKey: MasterKey,
  stored?: Pick<Endpoint, 'fingerprint'>,
) {
  if (!idempotency) return undefined;
  const { fingerprint, key } = idempotency;
  const context = `${tenantId}#${key}#endpoint`;
  const like = stored && String(stored.fingerprint);
  return { fingerprint: keyedFingerprint(masterKey, { fingerprint, context }, like) };
}

function tooMany(max: number): Problem {
  return new Problem('limit_exceeded', {
    detail: `This tenant may have ${max} endpoints.`,
  });
}
