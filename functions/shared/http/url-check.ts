import { Problem } from '../problem.ts';
import { SECOND_MS } from '../units.ts';
import type { GuardedSender } from '../world.ts';
import { allowUrl, type Egress } from './allowed-url.ts';
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

/** Judges URLs by the rules of the guarded sender, for those who save them and never send. */
export function openUrlCheck(options: SenderOptions): Pick<GuardedSender, 'checkUrl'> {
  const { egress, ownHosts = [], resolve = systemResolve(egress) } = options;
  return {
    async checkUrl(text) {
      const url = allowUrl(text, { egress, ownHosts });
      const resolution = await resolveHost(url, resolve, CHECK_TIMEOUT_MS);
      if (resolution.ok) return url.href;
      throw new Problem('url_not_allowed', { detail: NETWORK_DETAIL });
    },
  };
}
