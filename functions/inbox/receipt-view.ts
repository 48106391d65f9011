import { toInstant } from '../shared/wire.ts';
import { errorOf, isOpen, lastErrorOf, type Receipt, type Try } from './receipt.ts';

/** A receipt as its tenant sees it, without its body. */
export function receiptView(receipt: Receipt) {
  const { id, status, sourceId, contentType, headers, bytes, sha256, endedAtMs } = receipt;
  const { eventId, replayOf, conflicts } = receipt;
  const ended = endedAtMs === undefined ? undefined : toInstant(endedAtMs);
  return {
    ...{ id, object: 'webhook' as const, status, sourceId: sourceId as `src_${string}` },
    ...{ contentType, headers, bytes, sha256: Buffer.from(sha256, 'base64url').toString('hex') },
    createdAt: toInstant(receipt.receivedAtMs),
    completedAt: status === 'completed' ? ended : undefined,
    failedAt: status === 'failed' ? ended : undefined,
    attempts: attemptsOf(receipt),
    nextAt: status === 'pending' ? toInstant(receipt.nextAtMs) : undefined,
    lastError: lastErrorOf(receipt),
    ...{ eventId, replayOf, conflicts: conflicts || undefined },
  };
}

/** An attempt without an end is going on if it is the last of an open receipt; else it was lost. */
function attemptsOf(receipt: Receipt) {
  const { tries } = receipt;
  return tries.map((it, index) => {
    const goesOn = isOpen(receipt) && index === tries.length - 1 && it.endedAtMs === undefined;
    return { n: index + 1, ...attemptView(it), error: goesOn ? undefined : errorOf(it) };
  });
}

function attemptView({ atMs, endedAtMs }: Try) {
  return { at: toInstant(atMs), ms: endedAtMs === undefined ? undefined : endedAtMs - atMs };
}
