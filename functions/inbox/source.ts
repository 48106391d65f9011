import { Problem } from '../shared/problem.ts';
import { SHARES_MAX, shareCount } from './backlog.ts';
import type { Signing } from './signature-scheme.ts';

/** A secret of a source as it is stored; one that was replaced ends at a time. */
export interface SealedSecret {
  readonly sealed: string;
  readonly untilMs?: number | undefined;
}

/** What happens above a limit: refuse with 429, or take up to ten times as much and then 503. */
export type Overflow = 'reject' | 'accept';

/** Whoever sends webhooks to a tenant, and on which terms they are taken. */
export interface Source extends Signing {
  readonly id: `src_${string}`;
  readonly tenantId: string;
  readonly name: string;
  /** The newest first. None for a sender that does not sign. */
  readonly secrets: readonly SealedSecret[];
  readonly overflow: Overflow;
  /** How many receipts may be open at a time; undefined: any number, and nobody counts them. */
  readonly maxBacklog?: number | undefined;
  /** In how many shares they were counted at most, where it was changed: in no fewer later. */
  readonly shares?: number | undefined;
  readonly ratePerSecond?: number | undefined;
  /** In which time the same body is the same webhook, where its sender signs no id. */
  readonly dedupeSeconds?: number | undefined;
  /** The type of the event as which a webhook goes on. */
  readonly forwardAs: string;
  readonly status: 'active' | 'paused';
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Rises with each change. */
  readonly revision: number;
  readonly fingerprint?: string | undefined;
}

/** The type of the event as which a webhook goes on, unless its source says otherwise. */
export const FORWARD_AS_DEFAULT = 'inbox.received';

/** The name of the one source of a tenant whose webhooks come with an API key. */
export const API_SOURCE = 'api';

/** What taking in a webhook has to heed, whoever sends it. */
export interface Terms
  extends Pick<Source, 'overflow' | 'maxBacklog' | 'ratePerSecond' | 'shares'> {
  /** Under which its open receipts are counted. */
  readonly counter: string;
}

/** The terms of a source. */
export function termsOf(source: Source): Terms {
  const { id, overflow, maxBacklog, ratePerSecond, shares } = source;
  return { counter: id, overflow, maxBacklog, ratePerSecond, shares };
}

/** The terms of the webhooks that come with an API key. Nobody notes what the limit was before. */
export function apiTerms(tenantId: string, maxBacklog: number): Terms {
  const counter = `${tenantId}#${API_SOURCE}`;
  return { counter, overflow: 'reject', maxBacklog, shares: SHARES_MAX };
}

/** A source that accepts takes so many times its limits before it refuses. */
const HARD_CAP = 10;

/** How many receipts may be open before one is refused. */
export function backlogCap({
  maxBacklog,
  overflow,
}: Pick<Terms, 'maxBacklog' | 'overflow'>): number | undefined {
  return maxBacklog === undefined ? undefined : maxBacklog * timesOf(overflow);
}

/** In how many shares the open receipts of a source have been counted so far, at most. */
export function sharesSoFar(source: Pick<Terms, 'maxBacklog' | 'overflow' | 'shares'>): number {
  return Math.max(source.shares ?? 1, shareCount(backlogCap(source) ?? 0));
}

/** How many webhooks a second are taken, and so many at once after a rest. */
export function rateCap({ ratePerSecond, overflow }: Terms) {
  if (ratePerSecond === undefined) return undefined;
  const perSecond = ratePerSecond * timesOf(overflow);
  return { perSecond, burst: Math.max(1, Math.ceil(perSecond)) };
}

function timesOf(overflow: Overflow): number {
  return overflow === 'accept' ? HARD_CAP : 1;
}

/** Signatures of one source that may fail per address: 20 at once, one more each three seconds. */
export const FAILURES = { perSecond: 20 / 60, burst: 20 };

/** Why a webhook is not taken now. A sender that retries does so later. */
export function fullProblem({ overflow }: Terms, retryAfterSeconds: number): Problem {
  if (overflow === 'accept') {
    const detail = 'This source is far above its limits. Send the same webhook again later.';
    return new Problem('source_closed', { detail, retryAfterSeconds });
  }
  const detail = 'Too many webhooks of this source are open. Send the same one again later.';
  return new Problem('backpressure', { detail, retryAfterSeconds });
}

/** What a sealed secret of a source is bound to: it opens for no other. */
export function secretContext({ tenantId, id }: Pick<Source, 'tenantId' | 'id'>): string {
  return `${tenantId}#${id}#inbox-secret`;
}
