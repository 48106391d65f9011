import { SECOND_MS } from '../shared/units.ts';
import type { Clock } from '../shared/world.ts';

/** How many of a tenant's next messages are for the fast lane; the others are for the slow one. */
export type FastLane = (tenantId: string, asked: Asked) => number;

interface Asked {
  readonly messages: number;
  /** One of the tenant's receivers keeps workers waiting: its share does not grow then. */
  readonly isTroubled: boolean;
}

/** What a tenant has in the present window, which begins with its first message. */
interface Share {
  readonly endsMs: number;
  readonly messages: number;
  left: number;
}

/** Longer than it takes to notice that a receiver does not answer. */
export const WINDOW_MS = 2 * SECOND_MS;
/** One batch of a worker: so many may hang before anybody knows. */
export const SHARE_MIN = 10;
const TENANTS_MAX = 10_000;

/**
 * Lets no tenant fill the fast lane before it is known whether its receivers answer. A tenant
 * begins with the messages of one batch in two seconds, and has twice of what it took in the next
 * two. What exceeds that is not late: it takes the slow lane, where endpoints take turns. Each
 * relay counts for itself.
 */
export function rememberBursts({ clock }: { readonly clock: Clock }): FastLane {
  const shares = new Map<string, Share>();

  function shareOf(tenantId: string, isTroubled: boolean): Share {
    const nowMs = clock.nowMs();
    const last = shares.get(tenantId);
    if (last && nowMs < last.endsMs) return last;
    const isNext = last !== undefined && nowMs < last.endsMs + WINDOW_MS;
    const taken = isNext && !isTroubled ? last.messages - last.left : 0;
    const messages = Math.max(SHARE_MIN, 2 * taken);
    const share = { endsMs: nowMs + WINDOW_MS, messages, left: messages };
    if (shares.size >= TENANTS_MAX) shares.clear();
    shares.set(tenantId, share);
    return share;
  }

  return (tenantId, { messages, isTroubled }) => {
    const share = shareOf(tenantId, isTroubled);
    const fast = Math.min(messages, share.left);
    share.left -= fast;
    return fast;
  };
}
