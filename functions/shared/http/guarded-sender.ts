import { Problem } from '../problem.ts';
import { SECOND_MS } from '../units.ts';
import type { GuardedSender, OutboundRequest, SendResult } from '../world.ts';
import { type AllowedUrl, allowUrl, type UrlRules } from './allowed-url.ts';
import { openAgent, openConnectionPool } from './connection-pool.ts';
import { exchange, type Outcome } from './exchange.ts';
import { resolveHost, systemResolve } from './resolve-host.ts';
import { openUrlCheck, type SenderOptions } from './url-check.ts';

const KNOWN_URLS_MAX = 1_000;
const SILENCE_MS = SECOND_MS;

/**
 * The one way out to addresses that a tenant chose. Its rules hold for each single attempt: the
 * host is looked up anew, every address of it must be allowed, and only those are connected to.
 */
export function openGuardedSender(options: SenderOptions): GuardedSender {
  const { egress, ownHosts = [], resolve = systemResolve(egress) } = options;
  const urlOf = rememberUrls({ egress, ownHosts });
  const pool = openConnectionPool();

  async function send(request: OutboundRequest, remainingMs: () => number): Promise<Sent> {
    const url = urlOf(request.url);
    if (!url) return { kind: 'failed', error: 'url_not_allowed' };
    const resolution = await resolveHost(url, resolve, remainingMs());
    if (!resolution.ok) return { kind: 'failed', error: resolution.error };

    const { addresses } = resolution;
    const agent = await pool.agentFor(url);
    const first = await exchange({ url, addresses, request, agent, remainingMs: remainingMs() });
    if (first.kind !== 'stale') return first;
    if (!request.repeatHeaders) return { kind: 'unknown', error: 'reset' };

    const repeat = { ...request, headers: { ...request.headers, ...request.repeatHeaders } };
    const fresh = openAgent(url, 0);
    return afterStale(
      await exchange({ url, addresses, request: repeat, agent: fresh, remainingMs: remainingMs() }),
    );
  }

  return {
    ...openUrlCheck(options),
    async post(request) {
      const startMs = performance.now();
      const elapsedMs = () => performance.now() - startMs;
      // Whatever it is that a receiver lets its worker wait for: a name, an answer or its end.
      const silence = request.onSilence && setTimeout(request.onSilence, SILENCE_MS);
      try {
        const sent = await send(request, () => request.timeoutMs - elapsedMs());
        return { ...sent, ms: Math.round(elapsedMs()) } satisfies SendResult;
      } finally {
        clearTimeout(silence);
      }
    },
  };
}

type Sent = Exclude<Outcome, { kind: 'stale' }> & { readonly repeated?: true };

/** The receiver may have seen the first copy, so "nothing went out" is no longer an answer. */
function afterStale(second: Outcome): Sent {
  const isHeard = second.kind === 'answered' || second.kind === 'unknown';
  return isHeard ? { ...second, repeated: true } : { kind: 'unknown', error: 'reset' };
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
