import { timingSafeEqual } from 'node:crypto';
import type { Authenticate, Caller } from '../shared/http/api.ts';
import { nameOfNetwork, networkOf } from '../shared/http/client-address.ts';
import { rateHeaders, retryAfterSeconds } from '../shared/http/rate-headers.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findCallingKey } from './api-key.store.ts';
import { type ApiKey, allows, hashKey, looksLikeKey, statusAt } from './api-key.ts';
import { type RateLimit, STRANGER_LIMIT, stricter } from './rate-limit.ts';
import { rememberFor } from './remember-for.ts';
import { type Turn, tokenTaker } from './take-token.ts';
import { findTenant } from './tenant.store.ts';
import { limitsOf, type Tenant } from './tenant.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'metrics' | 'secrets'>;
type Access = Parameters<Authenticate<Needs>>[1];

/** A key that was revoked works no longer than this on an instance that knew it. */
const CACHE_MS = 30 * SECOND_MS;

/**
 * Checks the key of each request, and remembers good ones for 30 seconds. Every fault of a key
 * has one answer, `unauthorized`; a good key at the wrong door gets `forbidden_scope`. Whoever
 * calls too often gets `rate_limited`: a key by its limit, anybody else by their address. The
 * operator has no limit.
 */
export function authenticator(): Authenticate<Needs> {
  const knownKey = rememberFor(CACHE_MS, ({ db }: Needs, hash) => findCallingKey(db, hash));
  const knownTenant = rememberFor(CACHE_MS, ({ db }: Needs, id) => findTenant(db, id));
  const takeToken = tokenTaker();

  /** Its end is looked at each time: what is remembered may have ended since. */
  async function findKey(token: string, world: Needs): Promise<ApiKey | undefined> {
    if (!looksLikeKey(token)) return undefined;
    const key = await knownKey(world, hashKey(token));
    return key && statusAt(key, world.clock.nowMs()) === 'active' ? key : undefined;
  }

  async function admit(key: ApiKey, access: Access, world: Needs): Promise<Caller> {
    const tenant = await knownTenant(world, key.tenantId);
    const limit = limitOf(key, tenant);
    const turn = await takeToken(world, key.id, limit);
    return {
      ...{ tenantId: key.tenantId, keyId: key.id },
      allows: (scope) => allows(key.scopes, scope),
      requiresKeys: tenant?.settings.requireIdempotencyKeys ?? false,
      dailyEvents: tenant?.limits.dailyEvents,
      headers: rateHeaders({ ...limit, ...turn }),
      refusal: turn.isFree ? refusalOf(key, access) : tooMany(turn, world),
    };
  }

  async function refuse(address: string, world: Needs): Promise<Problem> {
    const network = networkOf(address);
    if (network === undefined) return unauthorized();
    const turn = await takeToken(world, `ip#${nameOfNetwork(network)}`, STRANGER_LIMIT);
    return turn.isFree ? unauthorized() : tooMany(turn, world);
  }

  return async ({ authorization, address }, access, world) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const key = await findKey(token, world);
    if (key) return admit(key, access, world);
    const isAdmin = token !== '' && (await isAdminKey(token, world));
    if (!isAdmin) return { refusal: await refuse(address, world) };
    if (access === 'admin') return {};
    return { refusal: forbidden('The admin key opens admin routes only. Use a key of a tenant.') };
  };
}

function limitOf({ rateLimit }: ApiKey, tenant: Tenant | undefined): RateLimit {
  const { requestsPerSecond, burst } = tenant?.limits ?? limitsOf({});
  const ofTenant = { perSecond: requestsPerSecond, burst };
  return rateLimit ? stricter(rateLimit, ofTenant) : ofTenant;
}

function refusalOf({ scopes }: ApiKey, access: Access): Problem | undefined {
  if (access === 'admin') return forbidden('Only the admin key opens this route.');
  if (allows(scopes, access)) return undefined;
  return forbidden(`This key does not have the scope ${access}.`);
}

/** Compared as hashes, which have one length: the time taken tells nothing. */
async function isAdminKey(token: string, { secrets }: Pick<World, 'secrets'>): Promise<boolean> {
  const adminKey = await secrets.read('admin-key');
  return timingSafeEqual(Buffer.from(hashKey(token)), Buffer.from(hashKey(adminKey)));
}

/** One answer for every fault of a key. */
export function unauthorized(): Problem {
  return new Problem('unauthorized', { detail: 'Send a valid key: Authorization: Bearer th_….' });
}

function forbidden(detail: string): Problem {
  return new Problem('forbidden_scope', { detail });
}

function tooMany({ waitMs }: Turn, { ids }: Pick<World, 'ids'>): Problem {
  return new Problem('rate_limited', {
    detail: 'Too many requests. Wait as long as Retry-After says, and send fewer at a time.',
    retryAfterSeconds: retryAfterSeconds(waitMs, ids.random()),
  });
}
