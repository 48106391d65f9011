import type { World } from '../shared/world.ts';
import { hashOf } from './incoming.ts';
import { isInline, type Receipt } from './receipt.ts';

/** What is said of a webhook beside its body. */
export type Wish = Pick<
  Receipt,
  'id' | 'tenantId' | 'sourceId' | 'contentType' | 'headers' | 'forwardAs'
> & {
  readonly fingerprint?: string | undefined;
  readonly traceparent: string | undefined;
  readonly hops: number;
};

/** The receipt of a webhook that has just come. */
export function draftReceipt(
  { fingerprint, hops, ...wish }: Wish,
  body: Uint8Array,
  { clock }: Pick<World, 'clock'>,
): Receipt {
  const nowMs = clock.nowMs();
  const sha256 = hashOf(body);
  return {
    ...wish,
    status: 'pending',
    receivedAtMs: nowMs,
    nextAtMs: nowMs,
    sha256,
    bytes: body.length,
    body: isInline(body.length) ? body : undefined,
    fingerprint: fingerprint ?? sha256,
    hops: hops || undefined,
    tries: [],
    replayKeys: [],
    conflicts: 0,
  };
}
