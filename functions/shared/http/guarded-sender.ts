import { Problem } from '../problem.ts';
import { SECOND_MS } from '../units.ts';
import type { GuardedSender, OutboundRequest, SendResult } from '../world.ts';
import { type AllowedUrl, allowUrl, type Egress, type UrlRules } from './allowed-url.ts';
import { openAgent, openConnectionPool } from './connection-pool.ts';
import { exchange, type Outcome } from './exchange.ts';
import { type Resolve, resolveHost, systemResolve } from './resolve-host.ts';

export interface SenderOptions {
  /** `public` allows https to public addresses; `loopback` also any receiver on this machine. */
  readonly egress: Egress;
  /** Hosts of our own API, `name` or `name:port`. */
  readonly ownHosts?: readonly string[];
  /** All addresses of a name, instead of asking the machine's name servers. */
  readonly resolve?: Resolve;
}

/** One text for all that the network says, so that a tenant cannot use us as a port scanner. */
const NETWORK_DETAIL = 'The host of the URL must be reachable under public addresses only.';
const CHECK_TIMEOUT_MS = 5 * SECOND_MS;
const KNOWN_URLS_MAX = 1_000;

/**
 * The one way out to addresses that a tenant chose. Its rules hold for each single attempt: the
 * host is looked up anew, every address of it must be allowed, and only those are connected to.
 */
export function openGuardedSender(options: SenderOptions): GuardedSender {
  const { egress, ownHosts = [], resolve = systemResolve(egress) } = options;
  const rules: UrlRules = { egress, ownHosts };
  const urlOf = rememberUrls(rules);
  const pool = openConnectionPool();

  async function send(request: OutboundRequest, remainingMs: () => number): Promise<Sent> {
    const url = urlOf(request.url);
    if (!url) return { kind: 'failed', error: 'url_not_allowed' };
    const resolution = await resolveHost(url, resolve, remainingMs());
    if (!resolution.ok) return { kind: 'failed', error: resolution.error };

    const { addresses } = resolution;
    const agent = pool.agentFor(url);
    const first = await exchange({ url, addresses, request, agent, remainingMs: remainingMs() });
    if (first.kind !== 'stale') return first;

    const fresh = openAgent(url, false);
    return afterStale(
      await exchange({ url, addresses, request, agent: fresh, remainingMs: remainingMs() }),
    );
  }

  return {
    async checkUrl(text) {
      const url = allowUrl(text, rules);
      const resolution = await resolveHost(url, resolve, CHECK_TIMEOUT_MS);
      if (resolution.ok) return url.href;
      throw new Problem('url_not_allowed', { detail: NETWORK_DETAIL });
    },

    async post(request) {
      const startMs = performance.now();
      const elapsedMs = () => performance.now() - startMs;
      const sent = await send(request, () => request.timeoutMs - elapsedMs());
      return { ...sent, ms: Math.round(elapsedMs()) } satisfies SendResult;
    },
  };
}

type Sent = Exclude<Outcome, { kind: 'stale' }>;

/** The receiver may have seen the first copy, so "nothing went out" is no longer an answer. */
function afterStale(second: Outcome): Sent {
  const isHeard = second.kind === 'answered' || second.kind === 'unknown';
  return isHeard ? second : { kind: 'unknown', error: 'reset' };
}

/**
 * Remembers what it parsed, since an endpoint is called over and over. What a URL text means never
 * changes; where its host leads is not part of it and is asked each time.
 */
function rememberUrls(rules: UrlRules): (text: string) => AllowedUrl | undefined {
  const known = new Map<string, AllowedUrl>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    const url = allowedOrNothing(text, rules);
    if (known.size >= KNOWN_URLS_MAX) known.clear();
    if (url) known.set(text, url);
    return url;
  };
}

function allowedOrNothing(text: string, rules: UrlRules): AllowedUrl | undefined {
  try {
    return allowUrl(text, rules);
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
