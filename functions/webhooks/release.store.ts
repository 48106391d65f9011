import * as z from 'zod';
import { DELIVERY_STATES } from '../events/event.ts';
import { isKnown, known } from '../shared/form.ts';
import { idFrom } from '../shared/ids/ulid.ts';
import { pagesOf } from '../shared/page.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Message, World, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import type { Endpoint } from './endpoint.ts';
import { forgetFailures } from './health.store.ts';
import { type Release, type ReleaseKind, releasedBy } from './release.ts';
import { ratesOf } from './slow-start.ts';

const RETENTION_MS = 32 * DAY_MS;
/** Before the ids of all but replays. */
const HELD = 'REL#held#';
const KINDS = ['resume', 'drain', 'repace', 'replay', 'close'] as const;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const ReleaseItem = z.object({
  id: z.templateLiteral(['rpl_', z.string()]),
  tenant: z.string(),
  endpoint: z.string(),
  kind: z.enum(KINDS),
  status: z.enum(['running', 'done', 'cancelled']),
  statuses: z.array(z.enum(DELIVERY_STATES).exclude(['inflight', 'cancelled'])),
  eventTypes: z.array(z.string()).optional(),
  from: z.number().optional(),
  to: z.number().optional(),
  pv: z.number().optional(),
  share: z.number(),
  perSecond: z.number(),
  cursor: z.string().optional(),
  hasMoved: z.boolean(),
  settled: z.literal(true).optional(),
  planned: z
    .object({
      after: z.string().optional(),
      through: z.string(),
      restored: z.number().optional(),
    })
    .optional(),
  endedAt: z.number().optional(),
  waits: z.literal(true).optional(),
  since: z.number().optional(),
  matched: z.number(),
  sent: z.number(),
  step: z.number(),
  due: z.number().optional(),
  createdAt: z.number(),
  fingerprint: z.string().optional(),
});

type Named = Pick<Release, 'tenantId' | 'endpointId' | 'kind' | 'id'>;

/** Where a release lies, beside the health of its endpoint. Replays can be listed by themselves. */
export function releaseKey({ tenantId, endpointId, kind, id }: Named): Key {
  const sk = kind === 'replay' ? `REL#${id}` : `${HELD}${id}`;
  return { pk: `${tenantId}#${endpointId}`, sk };
}

/** Where the replays of an endpoint lie, the newest first. */
export function replaysOf(tenantId: string, endpointId: string) {
  const pk = `${tenantId}#${endpointId}`;
  return { table: 'endpoints', pk, sk: { prefix: 'REL#rpl_' }, newestFirst: true } as const;
}

/** Refused when it is there already. */
export function insertRelease(release: Release, nowMs: number): Write {
  const condition = 'attribute_not_exists(pk)';
  return { kind: 'put', table: 'endpoints', item: toItem(release, nowMs), condition };
}

/** Stores the next state of a release. Refused when somebody has done the step before it. */
export function saveRelease(before: Release, after: Release, nowMs: number): Write {
  const item = toItem({ ...after, step: before.step + 1 }, nowMs);
  return { kind: 'put', table: 'endpoints', item, ...isAt(before) };
}

/** Ends a release of which nothing stays. Refused when somebody has done the step before. */
export function removeRelease(before: Release): Write {
  return { kind: 'remove', table: 'endpoints', key: releaseKey(before), ...isAt(before) };
}

function isAt({ step, status }: Release) {
  return {
    condition: 'step = :seen AND #status = :status',
    names: { '#status': 'status' },
    values: { ':seen': step, ':status': status },
  };
}

function toItem(release: Release, nowMs: number): Key & Item {
  const key = releaseKey(release);
  const { wants, dueMs } = release;
  const due = dueMs === undefined ? undefined : dueAttributes(key, dueMs, nowMs);
  return {
    ...key,
    v: 1,
    id: release.id,
    tenant: release.tenantId,
    endpoint: release.endpointId,
    kind: release.kind,
    status: release.status,
    statuses: wants.statuses,
    eventTypes: wants.eventTypes,
    from: wants.between?.fromMs,
    to: wants.between?.toMs,
    pv: release.paceVersion,
    share: release.share,
    perSecond: release.perSecond,
    cursor: release.cursor,
    hasMoved: release.hasMoved,
    settled: release.isSettled,
    planned: release.planned,
    endedAt: release.endedAtMs,
    waits: release.isWaiting,
    since: release.sinceMs,
    matched: release.matched,
    sent: release.sent,
    step: release.step,
    due: dueMs,
    duePk: due?.duePk,
    dueSk: due?.dueSk,
    createdAt: release.createdAtMs,
    fingerprint: release.fingerprint,
    ttl: release.kind === 'replay' ? replayEnd(release) : undefined,
  };
}

/** When a replay and its Idempotency-Key end, as those of events do: nothing is left of it then. */
export function replayEnd({ createdAtMs }: Pick<Release, 'createdAtMs'>): number {
  return Math.floor((createdAtMs + RETENTION_MS) / SECOND_MS);
}

/** The release in a stored item. */
export function toRelease(item: Item): Release {
  const stored = ReleaseItem.parse(known(item));
  const { statuses, eventTypes, from, to } = stored;
  const between = from === undefined || to === undefined ? undefined : { fromMs: from, toMs: to };
  return {
    id: stored.id,
    tenantId: stored.tenant,
    endpointId: stored.endpoint,
    kind: stored.kind,
    status: stored.status,
    wants: { statuses, eventTypes, between },
    paceVersion: stored.pv,
    share: stored.share,
    perSecond: stored.perSecond,
    cursor: stored.cursor,
    hasMoved: stored.hasMoved,
    isSettled: stored.settled,
    planned: stored.planned,
    endedAtMs: stored.endedAt,
    isWaiting: stored.waits,
    sinceMs: stored.since,
    matched: stored.matched,
    sent: stored.sent,
    step: stored.step,
    dueMs: stored.due,
    createdAtMs: stored.createdAt,
    fingerprint: stored.fingerprint,
  };
}

/**
 * Those of these items that this version of the code understands: the others hide none of them, and
 * a damaged one is for a person to repair.
 */
export function toReleases(items: readonly Item[], { log }: Pick<World, 'log'>): Release[] {
  const ours = items.filter((it) => isKnown(it) && hasKnownKind(it));
  return ours.flatMap((item) => {
    try {
      return toRelease(item);
    } catch (error) {
      const { pk, sk } = item;
      log.error('release.unreadable', { pk, sk, error });
      return [];
    }
  });
}

type Reading = Pick<World, 'log'> & { readonly db: Pick<Db, 'query'> };

/** The replays of an endpoint that have something left to do. */
export async function findOpenReplays(
  world: Reading,
  { tenantId, endpointId }: Pick<Release, 'tenantId' | 'endpointId'>,
): Promise<Release[]> {
  const found: Release[] = [];
  for await (const items of pagesOf(world.db, replaysOf(tenantId, endpointId))) {
    found.push(...toReleases(items, world).filter(({ dueMs }) => dueMs !== undefined));
  }
  return found;
}

/** The clocks of two instances that make replays are less apart than this. */
const APART_MS = MINUTE_MS;
const COUNTED_PAGE = 50;

/**
 * How many of an endpoint's replays are running. Those from before the oldest of them never will
 * again: who has looked notes that as `sinceMs`, and nobody looks further back than the latest note
 * that is on any of them.
 */
export async function countRunning(
  world: Reading,
  { tenantId, endpointId, sinceMs = 0 }: Pick<Release, 'tenantId' | 'endpointId' | 'sinceMs'>,
): Promise<{ readonly count: number; readonly sinceMs: number }> {
  // '~' sorts behind every id.
  const sk = { from: `REL#${idFrom('rpl', sinceMs)}`, to: 'REL#rpl_~' };
  const query = { ...replaysOf(tenantId, endpointId), sk, limit: COUNTED_PAGE };
  let [count, oldestMs, notedMs] = [0, Infinity, sinceMs];
  for await (const items of pagesOf(world.db, query)) {
    const replays = toReleases(items, world);
    const running = replays.filter(({ status }) => status === 'running');
    count += running.length;
    oldestMs = Math.min(oldestMs, ...running.map((it) => it.createdAtMs));
    notedMs = Math.max(notedMs, ...replays.map((it) => it.sinceMs ?? 0));
    if (replays.some((it) => it.createdAtMs < notedMs)) break;
  }
  return { count, sinceMs: count > 0 ? Math.max(notedMs, oldestMs - APART_MS) : notedMs };
}

/** The releases of an endpoint that began after this one, but for its replays. */
export async function findLater(world: Reading, release: Release): Promise<Release[]> {
  const { pk, sk } = releaseKey(release);
  // '~' sorts behind every id.
  const query = { table: 'endpoints', pk, sk: { from: sk, to: `${HELD}~` } } as const;
  const { items } = await world.db.query(query);
  return toReleases(items, world).filter(({ id }) => id !== release.id);
}

/**
 * Undefined when there is no such release, or only a later version of this code knows its kind: it
 * stays as it is, and the sweeper names it again until somebody who knows it comes. After six hours
 * it is left to the dead letters.
 */
export async function findRelease(db: Pick<Db, 'get'>, key: Key): Promise<Release | undefined> {
  const item = await db.get('endpoints', key);
  return item && hasKnownKind(item) ? toRelease(item) : undefined;
}

function hasKnownKind({ kind }: Item): boolean {
  return KINDS.some((it) => it === kind);
}

/** A release at an endpoint that was just opened, closed, or got another limit: due at once. */
export function newRelease(
  endpoint: Endpoint,
  kind: ReleaseKind,
  { clock, ids }: Pick<World, 'clock' | 'ids'>,
): Release {
  const nowMs = clock.nowMs();
  return {
    id: ids.next('rpl'),
    tenantId: endpoint.tenantId,
    endpointId: endpoint.id,
    kind,
    status: 'running',
    wants: { statuses: releasedBy(kind, endpoint.perSecond !== undefined) },
    share: 1,
    perSecond: ratesOf(endpoint.perSecond, 1).start,
    hasMoved: false,
    matched: 0,
    sent: 0,
    step: 0,
    dueMs: nowMs,
    createdAtMs: nowMs,
  };
}

/**
 * What has to be written together with the status `active`: all failures are forgotten, and what
 * is held is on its way. The sweeper finds the release within a minute; `careMessage` is quicker.
 */
export function reopenWrites(
  endpoint: Endpoint,
  world: Pick<World, 'clock' | 'ids'>,
  release: Release = newRelease(endpoint, 'resume', world),
): Write[] {
  return [forgetFailures(endpoint), insertRelease(release, world.clock.nowMs())];
}

/** Asks for the next step of a release, when it is due. */
export function careMessage(release: Release): Message {
  const { dueMs = 0 } = release;
  const key = releaseKey(release);
  return { body: { v: 1, ...key, dueMs }, atMs: dueMs, group: key.pk };
}
