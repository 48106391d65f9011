import type { Hold, Release } from '../ledger/hold.ts';
import type { Transaction } from '../ledger/transaction.ts';
import type { Finding } from './audit.ts';

/** The end that a hold names: the transaction that captured it, or the record of its release. */
export interface HoldEnd {
  readonly capture?: Transaction | undefined;
  readonly release?: Release | undefined;
}

/** L5: a hold that does not end as it says, or of which more was captured than was held. */
export function holdFaults(hold: Hold, { capture, release }: HoldEnd): Finding[] {
  const { id, status, amount, capturedAmount } = hold;
  const faults: string[] = [];
  if ((capturedAmount ?? 0n) > amount) faults.push(`${capturedAmount} of ${amount} was captured`);
  if ((status === 'captured') !== (capturedAmount !== undefined)) {
    faults.push(`it is ${status}, and ${capturedAmount ?? 'nothing'} was captured`);
  }
  if (status === 'captured') {
    const isOurs = capture?.status === 'posted' && capture.holdId === id;
    if (!isOurs) faults.push(`${hold.transactionId} has not captured it`);
    else if (takenBy(capture, hold) !== capturedAmount) {
      faults.push(`${capture.id} took ${takenBy(capture, hold)} and not ${capturedAmount}`);
    }
  }
  if (status === 'voided' || status === 'expired') {
    const isOurs = release?.holdId === id && release.status === status;
    if (!isOurs) faults.push(`it is ${status}, and no record of the journal let it go`);
  }
  return faults.map((detail) => ({ invariant: 'L5', id, detail }));
}

function takenBy({ legs }: Transaction, { accountId }: Hold): bigint {
  return -(legs.find((it) => it.accountId === accountId)?.amount ?? 0n);
}

/** L5: a capture of a hold that says that it ended otherwise. */
export function captureFaults(capture: Transaction, hold: Hold | undefined): Finding[] {
  const { id, type, holdId } = capture;
  if (holdId === undefined && type !== 'capture') return [];
  if (!hold) return [{ invariant: 'L5', id, detail: `it captures ${holdId}, which there is not` }];
  if (hold.status === 'captured' && hold.transactionId === id) return [];
  return [resolvedTwice(hold, `${id} captured it as well`)];
}

/** L5: the record of a release of a hold that says that it ended otherwise. */
export function releaseFaults(release: Release, hold: Hold | undefined): Finding[] {
  const { id, holdId, status } = release;
  if (!hold) return [{ invariant: 'L5', id, detail: `it releases ${holdId}, which there is not` }];
  if (hold.status === status && hold.releaseId === id) return [];
  return [resolvedTwice(hold, `by ${id} it is ${status} as well`)];
}

function resolvedTwice({ id, status, transactionId, releaseId }: Hold, also: string): Finding {
  const end = transactionId ?? releaseId;
  const detail = `it is ${status}${end === undefined ? '' : ` by ${end}`}, and ${also}`;
  return { invariant: 'L5', id, detail };
}
