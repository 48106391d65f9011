import { toAccount } from '../../../functions/ledger/account.store.ts';
import { type Account, balanceOf, chainHash, type Leg } from '../../../functions/ledger/account.ts';
import { toTransaction } from '../../../functions/ledger/transaction.store.ts';
import type { Transaction } from '../../../functions/ledger/transaction.ts';
import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

type LegOfAccount = Leg & { readonly transactionId: string };

/**
 * L1 money conserved: legs sum to zero. L2 no balance below its minimum after any leg. L3 the
 * stored account is the fold of its legs: seq gapless, balances chain, hash recomputes. L4 one
 * effect per key holds by the key itself; here: each posted entry touched what it says. O1 one
 * event per posted entry, and vice versa. Answers one sentence per violation.
 */
export function checkLedger({ ledger, outbox }: Pick<Snapshot, 'ledger' | 'outbox'>): string[] {
  const accounts = ledger.filter(isKind('acc_')).map(toAccount);
  const transactions = ledger.filter(isKind('txn_')).map(toTransaction);
  const posted = transactions.filter((it) => it.status === 'posted');
  const legs = posted.flatMap((it) =>
    it.legs.map((leg) => ({
      ...leg,
      key: `${it.tenantId}#${leg.accountId}`,
      transactionId: it.id,
    })),
  );
  const byAccount = Map.groupBy(legs, (it) => it.key);
  return [
    ...posted.flatMap(checkSum),
    ...accounts.flatMap((it) => checkFold(it, byAccount.get(`${it.tenantId}#${it.id}`) ?? [])),
    ...checkEvents(posted, outbox),
  ];
}

const isKind = (prefix: string) => (item: Item) =>
  item.sk === '#' && String(item.id).startsWith(prefix);

function checkSum({ id, legs }: Transaction): string[] {
  const sum = legs.reduce((total, leg) => total + leg.amount, 0n);
  return sum === 0n ? [] : [`L1 the legs of ${id} sum to ${sum}`];
}

function checkFold(account: Account, legs: readonly LegOfAccount[]): string[] {
  const violations: string[] = [];
  let [balance, hash] = [0n, ''];
  for (const [index, leg] of legs.toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0)).entries()) {
    const seq = index + 1;
    balance += leg.amount;
    hash = chainHash(hash, { ...leg, seq }, balance);
    const at = `${account.id} at ${leg.transactionId}`;
    if (leg.seq !== seq) violations.push(`L3 ${at} has seq ${leg.seq} instead of ${seq}`);
    if (leg.balanceAfter !== balance) violations.push(`L3 ${at}: the balance does not chain`);
    if (leg.hash !== hash) violations.push(`L3 ${at}: the hash does not chain`);
    if (account.minBalance !== null && balance < account.minBalance) {
      violations.push(`L2 ${at} has ${balance}, below ${account.minBalance}`);
    }
  }
  if (account.seq !== legs.length) {
    violations.push(`L3 ${account.id} has seq ${account.seq} and ${legs.length} legs`);
  }
  if (balanceOf(account) !== balance) {
    violations.push(`L3 ${account.id} stores ${balanceOf(account)}, its legs say ${balance}`);
  }
  if (account.hash !== hash) violations.push(`L3 ${account.id} has the hash of another history`);
  return violations;
}

function checkEvents(posted: readonly Transaction[], outbox: readonly Item[]): string[] {
  const events = new Map(
    outbox.filter((it) => it.type === 'transaction.posted').map((it) => [String(it.id), it]),
  );
  const untold = posted.flatMap(({ id, eventId = '' }) => {
    const data = String(events.get(eventId)?.data ?? '{}');
    return (JSON.parse(data) as { id?: string }).id === id ? [] : [`O1 ${id} has no event`];
  });
  const told = new Set(posted.map((it) => it.eventId));
  const invented = [...events.keys()].filter((id) => !told.has(id));
  return [...untold, ...invented.map((id) => `O1 the event ${id} tells of nothing`)];
}
