import { toAccount } from '../../../functions/ledger/account.store.ts';
import { type Account, balanceOf, chainHash, type Leg } from '../../../functions/ledger/account.ts';
import { toHold, toRelease } from '../../../functions/ledger/hold.store.ts';
import type { Hold, Release } from '../../../functions/ledger/hold.ts';
import { reversalKey, toTransaction } from '../../../functions/ledger/transaction.store.ts';
import type { Transaction } from '../../../functions/ledger/transaction.ts';
import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

/** What the journal says of an account: by a transaction, a hold or the release of one. */
type Entry = Leg & { readonly sourceId: string; readonly key: string };

/** All of the journal. */
interface Journal {
  readonly accounts: readonly Account[];
  readonly posted: readonly Transaction[];
  readonly holds: readonly Hold[];
  readonly releases: readonly Release[];
  readonly ledger: readonly Item[];
}

/**
 * L1 money conserved: legs sum to zero per currency. L2 no balance below its minimum or above its
 * maximum after any leg. L3 the stored account is the fold of its legs: seq gapless, balances
 * chain, hash recomputes. L4 one effect per key holds by the key itself; here: each posted entry
 * touched what it says. L5 holds resolved at most once, captured ≤ held; at most one reversal,
 * exactly negative. O1 one event per posted entry, and vice versa. Answers one sentence per
 * violation.
 */
export function checkLedger({ ledger, outbox }: Pick<Snapshot, 'ledger' | 'outbox'>): string[] {
  const of = <Kind>(prefix: string, read: (item: Item) => Kind) =>
    ledger.filter((it) => it.sk === '#' && String(it.id).startsWith(prefix)).map(read);
  const posted = of('txn_', toTransaction).filter((it) => it.status === 'posted');
  const [holds, releases] = [of('hld_', toHold), of('rel_', toRelease)];
  const journal = { accounts: of('acc_', toAccount), posted, holds, releases, ledger };
  const byAccount = Map.groupBy(entriesOf(journal), (it) => it.key);
  return [
    ...posted.flatMap(checkSum),
    ...journal.accounts.flatMap((it) =>
      checkFold(it, byAccount.get(`${it.tenantId}#${it.id}`) ?? []),
    ),
    ...holds.flatMap((it) => checkHold(it, journal)),
    ...posted.flatMap((it) => checkReversal(it, journal)),
    ...checkEvents(journal, outbox),
  ];
}

function entriesOf({ posted, holds, releases }: Journal): Entry[] {
  const entry = (tenantId: string, sourceId: string) => (leg: Leg) => ({
    ...leg,
    sourceId,
    key: `${tenantId}#${leg.accountId}`,
  });
  return [
    ...posted.flatMap((it) => it.legs.map(entry(it.tenantId, it.id))),
    ...holds.map((it) => entry(it.tenantId, it.id)(it.leg)),
    ...releases.map((it) => entry(it.tenantId, it.holdId)(it.leg)),
  ];
}

function checkSum({ id, legs }: Transaction): string[] {
  const byCurrency = Map.groupBy(legs, (it) => it.currency);
  return [...byCurrency].flatMap(([currency, own]) => {
    const sum = own.reduce((total, leg) => total + leg.amount, 0n);
    return sum === 0n ? [] : [`L1 the legs of ${id} sum to ${sum} ${currency}`];
  });
}

function checkFold(account: Account, legs: readonly Entry[]): string[] {
  if (account.mode === 'derived') {
    return account.seq === 0 ? [] : [`L3 ${account.id} is derived and has seq ${account.seq}`];
  }
  const violations: string[] = [];
  let [balance, hash, held] = [0n, '', 0n];
  for (const [index, leg] of legs.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0)).entries()) {
    const seq = index + 1;
    balance += leg.amount;
    held = leg.heldAfter ?? -1n;
    hash = chainHash(hash, { ...leg, seq, balanceAfter: balance });
    const at = `${account.id} at ${leg.sourceId}`;
    const available = balance - held - (account.minBalance ?? 0n);
    if (leg.seq !== seq) violations.push(`L3 ${at} has seq ${leg.seq} instead of ${seq}`);
    if (leg.balanceAfter !== balance) violations.push(`L3 ${at}: the balance does not chain`);
    if (leg.availableAfter !== available) violations.push(`L3 ${at}: available does not follow`);
    if (leg.hash !== hash) violations.push(`L3 ${at}: the hash does not chain`);
    if (held < 0n) violations.push(`L5 ${at}: ${held} is held`);
    if (account.minBalance !== null && available < 0n) {
      violations.push(`L2 ${at} has ${balance} and ${held} held, below ${account.minBalance}`);
    }
    if (account.maxBalance !== null && balance > account.maxBalance && leg.amount > 0n) {
      violations.push(`L2 ${at} has ${balance}, above ${account.maxBalance}`);
    }
  }
  if (account.seq !== legs.length) {
    violations.push(`L3 ${account.id} has seq ${account.seq} and ${legs.length} legs`);
  }
  if (balanceOf(account) !== balance) {
    violations.push(`L3 ${account.id} stores ${balanceOf(account)}, its legs say ${balance}`);
  }
  if (account.held !== held) {
    violations.push(`L5 ${account.id} holds ${account.held}, its legs say ${held}`);
  }
  if (account.hash !== hash) violations.push(`L3 ${account.id} has the hash of another history`);
  return violations;
}

/** A hold has one end: one capture, or one release, or none while it is pending. */
function checkHold(hold: Hold, { posted, releases }: Journal): string[] {
  const captures = posted.filter((it) => it.type === 'capture' && it.holdId === hold.id);
  const ends = releases.filter((it) => it.holdId === hold.id);
  const expected = { pending: [0, 0], captured: [1, 0], voided: [0, 1], expired: [0, 1] };
  const [captured, released] = expected[hold.status];
  const violations: string[] = [];
  if (captures.length !== captured || ends.length !== released) {
    violations.push(
      `L5 ${hold.id} is ${hold.status} by ${captures.length} captures and ${ends.length} releases`,
    );
  }
  const amount = captures[0]?.postings[0]?.amount ?? 0n;
  if (amount > hold.amount) violations.push(`L5 ${hold.id}: ${amount} of ${hold.amount} captured`);
  if ((hold.capturedAmount ?? 0n) !== amount) {
    violations.push(
      `L5 ${hold.id} says ${hold.capturedAmount} was captured, the journal ${amount}`,
    );
  }
  return violations;
}

function checkReversal(reversal: Transaction, { posted, ledger }: Journal): string[] {
  if (reversal.reverses === undefined) return [];
  const original = posted.find((it) => it.id === reversal.reverses);
  if (!original) return [`L5 ${reversal.id} reverses nothing`];
  const { pk } = reversalKey(original.tenantId, original.id);
  const marker = ledger.find((it) => it.pk === pk && it.sk === 'V');
  const amounts = (transaction: Transaction, sign: bigint) =>
    JSON.stringify(
      transaction.legs.map((it) => `${it.accountId} ${sign * it.amount} ${it.currency}`).toSorted(),
    );
  return [
    ...(marker?.reversal === reversal.id ? [] : [`L5 ${original.id} was reversed twice`]),
    ...(amounts(original, -1n) === amounts(reversal, 1n)
      ? []
      : [`L5 ${reversal.id} is not exactly negative`]),
  ];
}

/** What has to have an event, and the id that the event tells of. */
function checkEvents({ posted, holds, releases }: Journal, outbox: readonly Item[]): string[] {
  const facts = [
    ...posted.map((it) => ({ about: it.holdId ?? it.id, eventId: it.eventId ?? '' })),
    ...holds.map((it) => ({ about: it.id, eventId: it.eventId ?? '' })),
    ...releases.map((it) => ({ about: it.holdId, eventId: it.eventId ?? '' })),
  ];
  const isOfLedger = (it: Item) => /^(transaction|hold)\./.test(String(it.type));
  const events = new Map(outbox.filter(isOfLedger).map((it) => [String(it.id), it]));
  const untold = facts.flatMap(({ about, eventId }) => {
    const data = String(events.get(eventId)?.data ?? '{}');
    return (JSON.parse(data) as { id?: string }).id === about ? [] : [`O1 ${about} has no event`];
  });
  const told = new Set(facts.map((it) => it.eventId));
  const invented = [...events.keys()].filter((id) => !told.has(id));
  return [...untold, ...invented.map((id) => `O1 the event ${id} tells of nothing`)];
}
