import * as z from 'zod';
import { DAY_MS, SECOND_MS } from '../shared/units.ts';
import type { Db, Item, Key, Message, Write } from '../shared/world.ts';
import { dueAttributes } from '../timers/due.ts';
import type { Endpoint } from './endpoint.ts';
import { HEALTHY, type Health, probeWaitMs, STREAK_MIN } from './health.ts';

type Named = Pick<Endpoint, 'tenantId' | 'id'>;

/** Stored items are read tolerantly: an unknown field is a later release's. */
const HealthItem = z.object({
  streak: z.number().default(0),
  timeouts: z.number().default(0),
  firstFailureAt: z.number().optional(),
  openedAt: z.number().optional(),
  due: z.number().optional(),
  probes: z.number().default(0),
  probedAt: z.number().optional(),
  idle: z.literal(true).optional(),
  probedThrough: z.string().optional(),
  saidDays: z.number().default(0),
});

/** Where the health of an endpoint lies. */
export function healthKey(tenantId: string, endpointId: string): Key {
  return { pk: `${tenantId}#${endpointId}`, sk: 'HEALTH' };
}

/** The health in a stored item; without one the endpoint is well. */
export function toHealth(item: Item | undefined): Health {
  if (!item) return HEALTHY;
  const stored = HealthItem.parse(item);
  const { streak, timeouts, probes, probedThrough, saidDays } = stored;
  return {
    ...{ streak, timeouts, probes, probedThrough, saidDays },
    firstFailureAtMs: stored.firstFailureAt,
    openedAtMs: stored.openedAt,
    probeAtMs: stored.due,
    probedAtMs: stored.probedAt,
    idle: stored.idle,
  };
}

/** The health of an endpoint as it is now. */
export async function findHealth(db: Pick<Db, 'get'>, { tenantId, id }: Named): Promise<Health> {
  return toHealth(await db.get('endpoints', healthKey(tenantId, id)));
}

/** Asks for the probe of an open breaker when it is due: the sweeper looks only each minute. */
export function probeMessage({ tenantId, id }: Named, probeAtMs: number): Message {
  const key = healthKey(tenantId, id);
  return { body: { v: 1, ...key, dueMs: probeAtMs }, atMs: probeAtMs, group: key.pk };
}

/** After the last failure: it also ends what is counted late for a deleted endpoint. */
const RETENTION_MS = 32 * DAY_MS;

function endOf(nowMs: number): number {
  return Math.floor((nowMs + RETENTION_MS) / SECOND_MS);
}

/**
 * Counts a failure, which is forgotten 32 days after the last one. Unconditional: failures of many
 * workers at once all count.
 */
export function countFailure({ tenantId, id }: Named, isTimeout: boolean, nowMs: number): Write {
  const first = 'v = :v, #ttl = :ttl, firstFailureAt = if_not_exists(firstFailureAt, :now)';
  return {
    kind: 'update',
    table: 'endpoints',
    key: healthKey(tenantId, id),
    update: isTimeout
      ? `SET ${first} ADD streak :one, timeouts :one`
      : `SET ${first}, timeouts = :zero ADD streak :one`,
    answersItem: true,
    names: { '#ttl': 'ttl' },
    values: {
      ...{ ':v': 1, ':ttl': endOf(nowMs), ':now': nowMs, ':one': 1 },
      ...(!isTimeout && { ':zero': 0 }),
    },
  };
}

/** Refused when it is open already, or a success has ended the streak. */
export function openBreaker({ tenantId, id }: Named, nowMs: number): Write {
  const key = healthKey(tenantId, id);
  const probeAtMs = nowMs + probeWaitMs(0);
  const { duePk, dueSk } = dueAttributes(key, probeAtMs, nowMs);
  return {
    kind: 'update',
    table: 'endpoints',
    key,
    update: 'SET openedAt = :now, probes = :none, due = :due, duePk = :duePk, dueSk = :dueSk',
    answersItem: true,
    condition: 'attribute_not_exists(openedAt) AND streak >= :min',
    values: {
      ...{ ':now': nowMs, ':none': 0, ':min': STREAK_MIN },
      ...{ ':due': probeAtMs, ':duePk': duePk, ':dueSk': dueSk },
    },
  };
}

/**
 * Forgets a streak that did not open the breaker. Refused when it has, meanwhile, and when the
 * endpoint is no more.
 */
export function endStreak(endpoint: Named): Write {
  const condition = 'attribute_exists(pk) AND attribute_not_exists(openedAt)';
  return { ...forgetFailures(endpoint), condition };
}

/** Closes a breaker that has been open since `openedAtMs`. Refused when it is another one. */
export function closeBreaker(endpoint: Named, { openedAtMs }: Health): Write {
  const forget = forgetFailures(endpoint);
  const values = { ...forget.values, ':seen': openedAtMs };
  return { ...forget, condition: 'openedAt = :seen', values };
}

/** Forgets all failures, whatever they were: a person wants the endpoint to work. */
export function forgetFailures({ tenantId, id }: Named): Extract<Write, { kind: 'update' }> {
  const gone = 'firstFailureAt, openedAt, due, duePk, dueSk, probedThrough, probedAt, idle';
  return {
    kind: 'update',
    table: 'endpoints',
    key: healthKey(tenantId, id),
    update: `SET v = :v, streak = :none, timeouts = :none, probes = :none, saidDays = :none
      REMOVE ${gone}`,
    values: { ':v': 1, ':none': 0 },
  };
}

/** Forgets the failures of an endpoint that is deleted, and then that there were any. */
export function endHealth(endpoint: Named, nowMs: number): Write {
  const { update, values, ...rest } = forgetFailures(endpoint);
  return {
    ...rest,
    update: update.replace('SET', 'SET #ttl = :ttl,'),
    names: { '#ttl': 'ttl' },
    values: { ...values, ':ttl': endOf(nowMs) },
  };
}

/**
 * Holds while this very breaker is open and does not wait for a delivery to be its probe: nothing
 * is held but behind a closed door.
 */
export function checkOpen({ tenantId, id }: Named, { openedAtMs }: Health): Write {
  return {
    kind: 'check',
    table: 'endpoints',
    key: healthKey(tenantId, id),
    condition: 'openedAt = :seen AND attribute_not_exists(idle)',
    values: { ':seen': openedAtMs },
  };
}

/** What is planned; `probedThrough` is the event of what goes out now, if anything does. */
export interface NextProbe
  extends Pick<Health, 'probes' | 'probeAtMs' | 'probedThrough' | 'saidDays' | 'idle'> {
  readonly nowMs: number;
}

/**
 * Plans the probe after the one that `seen` has due, and notes what goes out now. Refused when
 * somebody else has planned it. Without a time there is none: the endpoint is not active.
 */
export function planProbe({ tenantId, id }: Named, seen: Health, next: NextProbe): Write {
  const key = healthKey(tenantId, id);
  const { probeAtMs, nowMs } = next;
  const due = probeAtMs === undefined ? undefined : dueAttributes(key, probeAtMs, nowMs);
  const fields = Object.entries({
    ...{ probes: next.probes, saidDays: next.saidDays, idle: next.idle },
    // Of the last one that went out, as long as there is no other.
    probedThrough: next.probedThrough ?? seen.probedThrough,
    probedAt: next.probedThrough === undefined ? seen.probedAtMs : nowMs,
    ...{ due: probeAtMs, duePk: due?.duePk, dueSk: due?.dueSk },
  });
  const set = fields.filter(([, value]) => value !== undefined);
  const gone = fields.filter(([, value]) => value === undefined).map(([name]) => name);
  const sets = set.map(([name]) => `${name} = :${name}`).join(', ');
  return {
    kind: 'update',
    table: 'endpoints',
    key,
    update: gone.length > 0 ? `SET ${sets} REMOVE ${gone.join(', ')}` : `SET ${sets}`,
    condition: 'openedAt = :seen AND due = :seenDue',
    values: {
      ...Object.fromEntries(set.map(([name, value]) => [`:${name}`, value])),
      ...{ ':seen': seen.openedAtMs, ':seenDue': seen.probeAtMs },
    },
  };
}
