import { toAccount } from '../../functions/ledger/account.store.ts';
import { balanceOf } from '../../functions/ledger/account.ts';
import { STORED_REFUSALS } from '../../functions/ledger/transaction.ts';
import { deriveId, idPart } from '../../functions/shared/ids/derive.ts';
import { formatMinor } from '../../functions/shared/money.ts';
import type { Item } from '../../functions/shared/world.ts';
import { checkLedger } from '../support/invariants/ledger.ts';
import type { Snapshot } from '../support/invariants/snapshot.ts';
import type { BankAnswer, BankBody, BankDay, Settled } from './bank.ts';
import type { Operation } from './bank-operations.ts';

/** What a key must have left in the journal. */
interface Expected {
  readonly key: string;
  readonly idPart: string;
  readonly record: 'made' | 'rejected' | 'none';
  readonly code?: string | undefined;
}

/**
 * What the clients were told against what the books of the tenant hold: each key has exactly the
 * one effect that it was answered with, the balances are the sums of the answers, a refusal tells
 * what was true, nothing else is in the journal, and all invariants hold. One sentence each.
 */
export function auditBank(
  day: BankDay,
  tenantId: string,
  snapshot: Pick<Snapshot, 'ledger' | 'outbox'>,
): string[] {
  const ledger = snapshot.ledger.filter((it) => String(it.pk).startsWith(`${tenantId}#`));
  const outbox = snapshot.outbox.filter((it) => it.tenant === tenantId);
  const records = ledger.filter((it) => it.sk === '#' && /^(txn|hld|rel)_/.test(String(it.id)));
  const byPart = new Map(records.map((it) => [idPart(String(it.id)), it]));
  const expected = day.settled.flatMap((it) => expectedOf(it, tenantId));
  return [
    ...day.contradictions.map((it) => `L4 ${it}`),
    ...expected.flatMap((it) => checkRecord(it, byPart.get(it.idPart))),
    ...checkInvented(records, new Set(expected.map((it) => it.idPart))),
    ...checkBalances(day, ledger),
    ...checkRefusals(day, ledger),
    ...checkLedger({ ledger, outbox }),
  ];
}

function expectedOf({ operation, answer }: Settled, tenantId: string): Expected[] {
  const { key, innerKeys, batchSize = 1 } = operation;
  const partOf = (...parts: string[]) => idPart(deriveId('txn', tenantId, 'money', ...parts));
  if (innerKeys) {
    const results = answer.body.results ?? [];
    return innerKeys.map((inner, n) => {
      const { status = 0, problem } = results[n] ?? {};
      return { key: inner, idPart: partOf(inner), ...effectOf(status, problem?.code) };
    });
  }
  const effect = effectOf(answer.status, answer.body.code);
  const others = Array.from({ length: batchSize - 1 }, (_, n) => partOf(key, String(n + 1)));
  const rest = others.map((it) => ({ key, idPart: it, record: restOf(effect.record) }));
  return [{ key, idPart: partOf(key), ...effect }, ...rest];
}

/** Of a batch that was refused, the first one is the record. */
function restOf(record: Expected['record']): Expected['record'] {
  return record === 'made' ? 'made' : 'none';
}

function effectOf(status: number, code: string | undefined): Pick<Expected, 'record' | 'code'> {
  if (status < 300) return { record: 'made' };
  const isStored = STORED_REFUSALS.some((it) => it === code);
  return isStored ? { record: 'rejected', code } : { record: 'none' };
}

function checkRecord({ key, record, code }: Expected, item: Item | undefined): string[] {
  const isRejected = item?.status === 'rejected';
  const found = item === undefined ? 'none' : isRejected ? 'rejected' : 'made';
  if (found !== record) return [`L4 ${key} was answered ${record}, the journal says ${found}`];
  const kept = (item?.refusal as Item | undefined)?.code;
  return kept === code ? [] : [`L4 ${key} was refused for ${code}, the journal says ${kept}`];
}

/** Only time makes records of its own. */
function checkInvented(records: readonly Item[], asked: ReadonlySet<string>): string[] {
  return records
    .filter((it) => !asked.has(idPart(String(it.id))) && it.status !== 'expired')
    .map((it) => `L4 nobody asked for ${it.id}`);
}

/** The transactions that an answer says were posted. */
function postedBy({ status, body }: BankAnswer): readonly BankBody[] {
  if (status >= 300) return [];
  if (body.results) return body.results.flatMap((it) => it.transaction ?? []);
  return body.transactions ?? [body.transaction ?? body];
}

function checkBalances(day: BankDay, ledger: readonly Item[]): string[] {
  const told = new Map<string, bigint>();
  const entries = day.settled.flatMap(({ answer }) =>
    postedBy(answer).flatMap((it) => it.entries ?? []),
  );
  for (const { accountId, amount } of entries) {
    told.set(accountId, (told.get(accountId) ?? 0n) + BigInt(amount));
  }
  return limitedAccounts(ledger).flatMap((account) => {
    const sum = told.get(account.id) ?? 0n;
    const has = balanceOf(account);
    return sum === has ? [] : [`L4 ${account.id} has ${has}, its clients were told of ${sum}`];
  });
}

const limitedAccounts = (ledger: readonly Item[]) =>
  ledger
    .filter((it) => it.sk === '#' && String(it.id).startsWith('acc_'))
    .map(toAccount)
    .filter((it) => it.mode === 'limited');

/** Who was refused for want of funds was told what the account had had at some time. */
function checkRefusals(day: BankDay, ledger: readonly Item[]): string[] {
  const accounts = new Map(limitedAccounts(ledger).map((it) => [it.id as string, it]));
  const legs = ledger.flatMap((it) => [
    ...((it.legs ?? []) as Item[]),
    ...(it.leg ? [it.leg as Item] : []),
  ]);
  const moments = Map.groupBy(legs, (it) => String(it.acc));
  return day.settled.flatMap(({ operation, answer }) => {
    const payer = payerOf(operation);
    const account = accounts.get(payer?.accountId ?? '');
    if (answer.body.code !== 'insufficient_funds' || !payer || !account) return [];
    const before = -(account.minBalance ?? 0n);
    const states = [
      before,
      ...(moments.get(account.id) ?? []).map((it) => BigInt(String(it.avail))),
    ];
    const wrong = states
      .filter((it) => it < BigInt(payer.amount))
      .every((it) => !answer.body.detail?.includes(`has ${formatMinor(it, account.currency)} av`));
    return wrong ? [`L4 ${operation.key} was refused wrongly: ${answer.body.detail}`] : [];
  });
}

/** Whose money one posting takes, where there is just one. */
function payerOf({ kind, body }: Operation) {
  if (!['transfer', 'debit', 'hold', 'precondition'].includes(kind)) return undefined;
  const asked = body as { accountId?: string; sourceAccountId?: string; amount: string };
  return { accountId: asked.sourceAccountId ?? asked.accountId, amount: asked.amount };
}

/** How many operations came to what, by kind: `transfer 422 insufficient_funds`. */
export function outcomesOf({ settled }: BankDay): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { operation, answer } of settled) {
    const name = [operation.kind, answer.status, answer.body.code].filter(Boolean).join(' ');
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return new Map([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
