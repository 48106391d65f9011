import { SECOND_MS } from '../shared/units.ts';

/** Whether a tenant's next message is for the fast lane; otherwise it is for the slow one. */
export type FastLane = (tenantId: string, message: Message) => boolean;

interface Message {
  /** When its event was committed. */
  readonly atMs: number;
  /** One of the tenant's receivers keeps workers waiting: its share does not grow then. */
  readonly isTroubled: boolean;
}

/** What a tenant has in a window, which begins with its first message. */
interface Share {
  readonly beginsMs: number;
  readonly endsMs: number;
  readonly messages: number;
  left: number;
}

/** Longer than it takes to notice that a receiver does not answer. */
const WINDOW_MS = 2 * SECOND_MS;
/** One batch of a worker: so many may hang before anybody knows. */
const SHARE_MIN = 10;
const TENANTS_MAX = 10_000;
/** One shard of the outbox's stream may be behind another one: each is in a window of its own. */
const SHARES_MAX = 8;

/**
 * Lets no tenant fill the fast lane before it is known whether its receivers answer. A tenant
 * begins with the messages of one batch in two seconds, and has twice of what it took in the next
 * two. What exceeds that is not late: it takes the slow lane, where endpoints take turns. Each
 * relay counts for itself, and by the time of the commits: where it is behind, because of somebody
 * else, what has gathered is no burst.
 */
export function rememberBursts(): FastLane {
  const known = new Map<string, readonly Share[]>();

  function shareOf(tenantId: string, { atMs, isTroubled }: Message): Share {
    const shares = known.get(tenantId) ?? [];
    const present = presentOf(shares, atMs);
    if (present) return present;
    const last = shares.find((it) => it.endsMs <= atMs && atMs < it.endsMs + WINDOW_MS);
    const taken = last && !isTroubled ? last.messages - last.left : 0;
    const messages = Math.max(SHARE_MIN, 2 * taken);
    const share = { beginsMs: atMs, endsMs: atMs + WINDOW_MS, messages, left: messages };
    if (known.size >= TENANTS_MAX) known.clear();
    known.set(tenantId, [share, ...shares].slice(0, SHARES_MAX));
    return share;
  }

  return (tenantId, message) => {
    const share = shareOf(tenantId, message);
    if (share.left === 0) return false;
    share.left -= 1;
    return true;
  };
}

/** The newest window with this time in it, or a little later one: commits may change places. */
function presentOf(shares: readonly Share[], atMs: number): Share | undefined {
  const isWithin = (it: Share) => it.beginsMs <= atMs && atMs < it.endsMs;
  const isBefore = (it: Share) => atMs < it.beginsMs && it.beginsMs - atMs < WINDOW_MS;
  return shares.find(isWithin) ?? shares.find(isBefore);
}
