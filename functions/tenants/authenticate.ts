import { timingSafeEqual } from 'node:crypto';
import type { Authenticate } from '../shared/http/api.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findCallingKey } from './api-key.store.ts';
import { type ApiKey, allows, hashKey, looksLikeKey, statusAt } from './api-key.ts';
import { rememberFor } from './remember-for.ts';

type Needs = Pick<World, 'clock' | 'db' | 'secrets'>;

/** A key that was revoked works no longer than this on an instance that knew it. */
const CACHE_MS = 30 * SECOND_MS;

/**
 * Checks the key of each request, and remembers good ones for 30 seconds. Every fault of a key
 * has one answer, `unauthorized`; a good key at the wrong door gets `forbidden_scope`.
 */
export function authenticator(): Authenticate<Needs> {
  const knownKey = rememberFor(CACHE_MS, ({ db }: Needs, hash) => findCallingKey(db, hash));

  /** Its end is looked at each time: what is remembered may have expired since. */
  async function findKey(token: string, world: Needs): Promise<ApiKey | undefined> {
    if (!looksLikeKey(token)) return undefined;
    const key = await knownKey(world, hashKey(token));
    return key && statusAt(key, world.clock.nowMs()) === 'active' ? key : undefined;
  }

  return async (authorization, access, world) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized();

    const key = await findKey(token, world);
    if (key && access !== 'admin' && allows(key.scopes, access)) {
      return { tenantId: key.tenantId, keyId: key.id, scopes: key.scopes };
    }
    if (key) throw forbidden(`This key does not have the scope ${access}.`);
    if (!(await isAdminKey(token, world))) throw unauthorized();
    if (access === 'admin') return {};
    throw forbidden('The admin key opens admin routes only. Use a key of a tenant.');
  };
}

/** Compared as hashes, which have one length: the time taken tells nothing. */
async function isAdminKey(token: string, { secrets }: Pick<World, 'secrets'>): Promise<boolean> {
  const adminKey = await secrets.read('admin-key');
  return timingSafeEqual(Buffer.from(hashKey(token)), Buffer.from(hashKey(adminKey)));
}

function unauthorized(): Problem {
  return new Problem('unauthorized', { detail: 'Send a valid key: Authorization: Bearer th_….' });
}

function forbidden(detail: string): Problem {
  return new Problem('forbidden_scope', { detail });
}
