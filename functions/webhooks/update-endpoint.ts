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
import { findPace, restartPace } from './pace.store.ts';
import { careMessage, insertRelease, newRelease, reopenWrites } from './release.store.ts';
import { mayBeQueued, type Release, type ReleaseKind, releasedBy } from './release.ts';
import { ATTEMPTS_DEFAULT } from './schedule.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues' | 'secrets'> & {
  readonly http: Pick<World['http'], 'checkUrl'>;
};
type Change = Call<typeof updateEndpointRoute>['body'];

/**
 * PATCH /v1/endpoints/{id}: what is named is replaced, the rest stays, and nothing is written
 * where nothing changes. Who says `active` wants it to work: its failures and blocks are forgotten,
 * and what is held or put off goes out; what has slots of another limit gets new ones.
 * Every attempt from five seconds later on goes by what is new.
 */
export const updateEndpoint = route(updateEndpointRoute, async (call, world: Needs) => {
  const { tenantId, params, body } = call;
  // Only what is sealed needs the key: an endpoint can be paused while nobody has it.
  const sealer = body.headers ? await openSealer(world) : undefined;
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

async function decide(
  before: Endpoint,
  changed: Endpoint,
  { change, world }: { readonly change: Change; readonly world: Needs },
): Promise<Decision<Updated>> {
  const isSame = JSON.stringify(changed) === JSON.stringify(before);
  if (isSame && change.status !== 'active') return { result: { endpoint: before }, writes: [] };
  const endpoint = { ...changed, updatedAtMs: world.clock.nowMs() };
  const kind = releaseAfter(before, endpoint, change);
  const queue = kind ? await lookOf(before, endpoint, world) : 'leave';
  const writes = [
    ...saveEndpoint(before, endpoint),
    ...repace(before, endpoint, { change, queue }),
  ];
  const statuses = kind ? releasedBy(kind, queue === 'look') : [];
  if (kind === undefined || statuses.length === 0) return { result: { endpoint }, writes };
  const release = { ...newRelease(endpoint, kind, world), wants: { statuses } };
  const releasing =
    kind === 'resume'
      ? reopenWrites(endpoint, world, release)
      : [insertRelease(release, world.clock.nowMs())];
  return { result: { endpoint, release }, writes: [...writes, ...releasing] };
}

/**
 * Whether a release has to look in the queues, for what has a slot that is void now: only where
 * some slot may be far away and there is a nearer one. `free`: none is, as it seems.
 */
async function lookOf(
  before: Endpoint,
  after: Endpoint,
  { db }: Needs,
): Promise<'look' | 'free' | 'leave'> {
  if (before.perSecond === undefined && after.perSecond === undefined) return 'leave';
  const { updatedAtMs: nowMs = 0 } = after;
  const pace = await findPace(db, before);
  const { blockedUntilMs = 0 } = pace;
  const isSame = after.perSecond === before.perSecond && after.status === before.status;
  if (isSame && blockedUntilMs <= nowMs) return 'leave';
  return mayBeQueued(pace, nowMs) ? 'look' : 'free';
}

/** What has to be looked at because of a change. The opening of a closed endpoint looks at all. */
function releaseAfter(
  before: Endpoint,
  after: Endpoint,
  { status }: Change,
): ReleaseKind | undefined {
  if (status === 'active') return 'resume';
  if (before.perSecond === undefined) return undefined;
  if (after.status !== before.status) return 'close';
  const isOther = after.perSecond !== before.perSecond;
  return isOther && after.status === 'active' ? 'repace' : undefined;
}

/**
 * Of another limit all workers hear, and who wants the endpoint to work ends its block. Behind one
 * that is closed no slot counts.
 */
function repace(
  before: Endpoint,
  after: Endpoint,
  { change, queue }: { readonly change: Change; readonly queue: 'look' | 'free' | 'leave' },
): Write[] {
  const { perSecond, updatedAtMs: nowMs = 0 } = after;
  const unblocks = change.status === 'active';
  const isSame = perSecond === before.perSecond && after.status === before.status;
  if (isSame && !unblocks) return [];
  return [restartPace(after, { perSecond, unblocks, nowMs, isFree: queue === 'free' })];
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

async function openSealer({ secrets, ids }: Needs): Promise<Sealer> {
  return { masterKey: readMasterKey(await secrets.read('master-key')), ids };
}

/** Null takes all of them away. */
function withHeaders(
  endpoint: Endpoint,
  { headers }: Change,
  sealer: Sealer | undefined,
): Endpoint {
  if (headers === undefined) return endpoint;
  const sealed = headers && sealer && sealHeaders(endpoint, headers, sealer);
  return { ...endpoint, headers: sealed || undefined };
}
