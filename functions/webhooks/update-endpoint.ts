import { type Call, route } from '../shared/http/route.ts';
import { readMasterKey } from '../shared/sealed.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World, Write } from '../shared/world.ts';
import { changeEndpoint, type Decision } from './change-endpoint.ts';
import { updateEndpointRoute } from './endpoint.contract.ts';
import { saveEndpoint } from './endpoint.store.ts';
import { type Endpoint, withStatus } from './endpoint.ts';
import { type Sealer, sealHeaders } from './endpoint-sealing.ts';
import { endpointView } from './endpoint-view.ts';
import { restartPace } from './pace.store.ts';
import { careMessage, insertRelease, newRelease, reopenWrites } from './release.store.ts';
import type { Release } from './release.ts';
import { ATTEMPTS_DEFAULT } from './schedule.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues' | 'secrets'> & {
  readonly http: Pick<World['http'], 'checkUrl'>;
};
type Change = Call<typeof updateEndpointRoute>['body'];

/**
 * PATCH /v1/endpoints/{id}: what is named is replaced, the rest stays, and nothing is written
 * where nothing changes. Who says `active` wants it to work: its failures and blocks are forgotten,
 * and what is held or put off goes out; so does what waits for slots of a limit that is raised.
 * Every attempt from five seconds later on goes by what is new.
 */
export const updateEndpoint = route(updateEndpointRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  const masterKey = readMasterKey(await world.secrets.read('master-key'));
  const sealer = { masterKey, ids: world.ids };
  const id = params.id;
  const { endpoint, release } = await changeEndpoint({ tenantId, id }, world, async (before) => {
    // Here, because a wrong URL is no news about an endpoint that is not there.
    const url = body.url === undefined ? undefined : await world.http.checkUrl(body.url);
    const changed = withHeaders(withChange(before, { ...body, url }), body, sealer);
    return decide(before, changed, { change: body, world });
  });
  if (release) await tellQueue('endpoint-care', careMessage(release), world);
  return { body: endpointView(endpoint) };
});

interface Updated {
  readonly endpoint: Endpoint;
  /** Of what is held behind it, or put off. */
  readonly release?: Release | undefined;
}

function decide(
  before: Endpoint,
  changed: Endpoint,
  { change, world }: { readonly change: Change; readonly world: Needs },
): Decision<Updated> {
  const isSame = JSON.stringify(changed) === JSON.stringify(before);
  if (isSame && change.status !== 'active') return { result: { endpoint: before }, writes: [] };
  const endpoint = { ...changed, updatedAtMs: world.clock.nowMs() };
  const writes = [...saveEndpoint(before, endpoint), ...repace(before, endpoint, change)];
  if (change.status !== 'active') {
    if (!getsMore(before, endpoint)) return { result: { endpoint }, writes };
    const release = newRelease(endpoint, 'repace', world);
    const repacing = insertRelease(release, world.clock.nowMs());
    return { result: { endpoint, release }, writes: [...writes, repacing] };
  }
  const release = newRelease(endpoint, 'resume', world);
  const reopening = reopenWrites(endpoint, world, release);
  return { result: { endpoint, release }, writes: [...writes, ...reopening] };
}

/** Then what has slots of the lower limit goes earlier. A closed endpoint's opening looks at it. */
function getsMore({ perSecond: before }: Endpoint, { perSecond = Infinity, status }: Endpoint) {
  return status === 'active' && before !== undefined && perSecond > before;
}

/** Of another limit all workers hear, and who wants the endpoint to work ends its block. */
function repace(before: Endpoint, after: Endpoint, { status }: Change): Write[] {
  const { perSecond, updatedAtMs: nowMs = 0 } = after;
  const unblocks = status === 'active';
  if (perSecond === before.perSecond && !unblocks) return [];
  return [restartPace(after, { perSecond, unblocks, nowMs })];
}

function withChange(before: Endpoint, change: Change): Endpoint {
  const { url = before.url, onUnknown = before.onUnknown, status = before.status } = change;
  const { timeoutSeconds, retry, rateLimit } = change;
  const timeoutMs = timeoutSeconds && Math.round(timeoutSeconds * SECOND_MS);
  return {
    ...withStatus(before, status),
    ...{ url, onUnknown },
    timeoutMs: timeoutMs ?? before.timeoutMs,
    eventTypes: given(change.eventTypes, before.eventTypes),
    description: given(change.description, before.description),
    fileDefaults: given(change.fileDefaults, before.fileDefaults),
    perSecond: rateLimit === undefined ? before.perSecond : rateLimit?.perSecond,
    retry: retry === undefined ? before.retry : retryOf(retry, before),
  };
}

/** Null takes away what was there. */
function given<Value>(change: Value | null | undefined, before: Value): Value | undefined {
  return change === undefined ? before : (change ?? undefined);
}

function retryOf(
  retry: NonNullable<Change['retry']> | null,
  { retry: { isTest } }: Endpoint,
): Endpoint['retry'] {
  const { maxAttempts = ATTEMPTS_DEFAULT, schedule } = retry ?? {};
  return { maxAttempts, scheduleSeconds: schedule, isTest };
}

function withHeaders(endpoint: Endpoint, { headers }: Change, sealer: Sealer): Endpoint {
  if (headers === undefined) return endpoint;
  return { ...endpoint, headers: sealHeaders(endpoint, headers ?? {}, sealer) };
}
