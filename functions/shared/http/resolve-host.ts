import { lookup, Resolver } from 'node:dns/promises';
import { SECOND_MS } from '../units.ts';
import { type AddressClass, classifyAddress } from './allowed-address.ts';
import type { AllowedUrl, Egress } from './allowed-url.ts';

/** All addresses of a name. Rejects, or gives an empty list, when there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export type Resolution =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly error: 'dns' | 'timeout' | 'url_not_allowed' };

/**
 * The addresses to which a request to the URL may be connected now: all that its host has, or
 * none if a single one of them is not allowed. The answer holds for this one attempt only.
 */
export async function resolveHost(
  url: AllowedUrl,
  resolve: Resolve,
  timeoutMs: number,
): Promise<Resolution> {
  if (url.literal) return judge(url, [url.hostname], [url.literal]);
  try {
    const addresses = await within(timeoutMs, resolve(url.hostname));
    if (!addresses) return { ok: false, error: 'timeout' };
    return judge(url, addresses, addresses.map(classifyAddress));
  } catch {
    return { ok: false, error: 'dns' };
  }
}

/**
 * The resolver of an egress. In AWS it asks the name servers and nobody else, without the thread
 * pool of `getaddrinfo`, of which four dead name servers would take every thread. A local cloud
 * also needs `/etc/hosts`.
 */
export function systemResolve(egress: Egress): Resolve {
  if (egress === 'loopback') {
    return async (hostname) => (await lookup(hostname, { all: true })).map((it) => it.address);
  }
  const resolver = new Resolver({ timeout: 2 * SECOND_MS, tries: 2 });
  return async (hostname) => {
    const answers = [resolver.resolve4(hostname), resolver.resolve6(hostname)];
    const settled = await Promise.allSettled(answers);
    return settled.flatMap((it) => (it.status === 'fulfilled' ? it.value : []));
  };
}

function judge(
  url: AllowedUrl,
  addresses: readonly string[],
  classes: readonly AddressClass[],
): Resolution {
  if (addresses.length === 0) return { ok: false, error: 'dns' };
  const allowed = classes.every((where) => isAllowed(url, where));
  return allowed ? { ok: true, addresses } : { ok: false, error: 'url_not_allowed' };
}

function isAllowed(url: AllowedUrl, where: AddressClass): boolean {
  const { egress, loopbackOnly, isOwnPort } = url;
  if (where === 'loopback') return egress === 'loopback' && !isOwnPort;
  return where === 'public' && !loopbackOnly;
}

/** Undefined when the time is up first. */
function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
