import { assertSameRequest, creationId } from '../shared/http/idempotency.ts';
import { type Call, route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { deliveryView } from './delivery-view.ts';
import { findEndpoint } from './endpoint.store.ts';
import type { Endpoint } from './endpoint.ts';
import { findWanted } from './find-wanted.ts';
import { careMessage, findRelease, insertRelease, releaseKey } from './release.store.ts';
import type { Release } from './release.ts';
import { createReplayRoute } from './replay.contract.ts';
import { findReplayName, insertReplayKey } from './replay-key.store.ts';
import { replayView } from './replay-view.ts';
import { ratesOf } from './slow-start.ts';
import { tellQueue } from './tell-queue.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;
type ReplayCall = Call<typeof createReplayRoute>;

/** What was accepted longer ago is relayed, as a rule, and on the indexes that a replay reads. */
const RELAYING_MS = 10 * SECOND_MS;

/**
 * POST /v1/replays: a job that goes on by itself. A dry run counts what it would send, and makes
 * nothing; with a key that made a replay before it counts all the same.
 */
export const createReplay = route(createReplayRoute, async (call, world: Needs) => {
  const { tenantId, body } = call;
  if (body.from >= world.clock.nowMs()) return repetition(call, notBegun(), world);
  const endpoint = await findEndpoint(world.db, tenantId, body.endpointId);
  if (!endpoint) return repetition(call, new Problem('not_found'), world);
  const draft = draftReplay(call, endpoint, world);
  if (body.dryRun) return { status: 200, body: await tryOut(draft, endpoint, world) };

  const { release, replayed } = await insert(call, draft, world);
  if (!replayed) await tellQueue('endpoint-care', careMessage(release), world);
  return { body: replayView(release), replayed };
});

/** A time that is still to come has nothing to send: its replay would end at once, with nothing. */
function notBegun(): Problem {
  const detail = 'must be in the past: a replay sends what was accepted before it';
  const errors = [{ pointer: '/from', code: 'invalid', detail }];
  return new Problem('validation_failed', { detail: `/from: ${detail}`, errors });
}

function draftReplay(
  { tenantId, body, idempotency }: ReplayCall,
  endpoint: Endpoint,
  { clock, ids }: Needs,
): Release {
  const nowMs = clock.nowMs();
  const { from, statuses, eventTypes, rateShare } = body;
  // What is still to come goes out by itself: taken up here, it would go out twice, without end.
  const to = Math.min(body.to, nowMs);
  return {
    id: ids.next('rpl'),
    tenantId,
    endpointId: endpoint.id,
    kind: 'replay',
    status: 'running',
    wants: {
      statuses: [...new Set(statuses)],
      eventTypes,
      between: { fromMs: from, toMs: to },
    },
    share: rateShare,
    perSecond: ratesOf(endpoint.perSecond, rateShare).start,
    hasMoved: false,
    ...{ matched: 0, sent: 0, step: 0 },
    dueMs: Math.max(nowMs, to + RELAYING_MS),
    createdAtMs: nowMs,
    fingerprint: idempotency?.fingerprint,
  };
}

/** With a key that was used before it is the replay that this made, as it is now. */
async function insert(
  { tenantId, idempotency }: ReplayCall,
  release: Release,
  { clock, db, ids }: Needs,
): Promise<{ readonly release: Release; readonly replayed: boolean }> {
  const writes = [insertRelease(release, clock.nowMs())];
  const keyId = creationId('rpl', { tenantId, scope: 'replays', idempotency }, ids);
  const commit = await db.commit(
    idempotency ? [...writes, insertReplayKey(keyId, release)] : writes,
  );
  if (commit.ok) return { release, replayed: false };
  // The answer to our own first try got lost.
  if (commit.reasons[0]?.item?.id === release.id) return { release, replayed: false };
  const found = idempotency && (await findMade(db, tenantId, keyId));
  if (!found) throw new Problem('busy', { detail: 'The replay could not be stored. Try again.' });
  assertSameRequest(found, idempotency);
  return { release: found, replayed: found.id !== release.id };
}

/** What the key has made, as it is now. */
async function findMade(db: Needs['db'], tenantId: string, keyId: string) {
  const name = await findReplayName(db, tenantId, keyId);
  return name && findRelease(db, releaseKey({ ...name, tenantId, kind: 'replay' }));
}

/**
 * A repetition is answered like the first request, also when the endpoint has gone since, or by a
 * clock that is behind that of the first. All else is refused.
 */
async function repetition(
  { tenantId, idempotency, body }: ReplayCall,
  refusal: Problem,
  { db, ids }: Needs,
) {
  if (!idempotency || body.dryRun) throw refusal;
  const keyId = creationId('rpl', { tenantId, scope: 'replays', idempotency }, ids);
  const made = await findMade(db, tenantId, keyId);
  if (!made) throw refusal;
  assertSameRequest(made, idempotency);
  return { body: replayView(made), replayed: true };
}

/** A dry run looks so long, in pages of so many. */
const LOOKING_MS = 10 * SECOND_MS;
const PAGE = 500;
const SHOWN = 10;

async function tryOut(release: Release, endpoint: Endpoint, world: Needs) {
  const first: Delivery[] = [];
  let matched = 0;
  let { cursor } = release;
  let isEnd = false;
  const stopMs = world.clock.nowMs() + LOOKING_MS;
  while (!isEnd && world.clock.nowMs() < stopMs) {
    const from = { ...release, cursor };
    const page = await findWanted(from, { endpoint }, { count: PAGE, world });
    matched += page.rows.length;
    first.push(...page.rows.slice(0, SHOWN - first.length));
    ({ cursor, isEnd } = page);
  }
  return {
    object: 'dry_run' as const,
    endpointId: endpoint.id,
    matched,
    hasMore: !isEnd,
    data: first.map((it) => (it.token === '' ? missingView(it) : deliveryView(it))),
  };
}

/** What never came to be a delivery would be a new one. */
function missingView(delivery: Delivery) {
  return { ...deliveryView(delivery), status: 'pending' as const };
}
