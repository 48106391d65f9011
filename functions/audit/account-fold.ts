import {
  type Account,
  availableOf,
  balanceOf,
  chainHash,
  type Leg,
  roomOf,
} from '../ledger/account.ts';
import type { StandingLine } from '../ledger/statement.ts';
import type { Finding, Invariant } from './audit.ts';
import type { Standpoint } from './fold.ts';
import { factsOf, heldChangeOf, type LineRecord } from './journal-record.ts';

/** The limits of an account and its currency, which never change. */
export interface Limits {
  readonly id: string;
  readonly currency: string;
  readonly minBalance: bigint | null;
  readonly maxBalance: bigint | null;
}

/** What a line of a statement has come to. */
export interface Folded {
  readonly at: Standpoint;
  readonly findings: readonly Finding[];
}

/**
 * One more line of a statement, and the record of the journal that it names, if there is one: is
 * it the next entry of the account, do line and record say the same, and does it follow from all
 * entries before?
 */
export function foldLine(
  limits: Limits,
  { line, record }: { readonly line: StandingLine; readonly record: LineRecord | undefined },
  before: Standpoint,
): Folded {
  const { seq } = line.standing;
  const named = line.transactionId ?? line.holdId ?? limits.id;
  if (seq <= before.seq) {
    const detail = `${limits.id} has a second line ${seq}, of ${named}`;
    return { at: before, findings: [{ invariant: 'L3', id: named, detail }] };
  }
  const gap = seq > before.seq + 1 ? [missing(limits.id, before.seq + 1, seq - 1)] : [];
  const isLost = before.isLost || gap.length > 0;
  const start = { ...before, seq: seq - 1, isLost };
  const leg = record && factsOf(record).legs.find((it) => it.accountId === limits.id);
  if (!record || !leg) {
    const detail = `line ${seq} of ${limits.id} names it, and the journal has no such entry`;
    const at = { ...start, seq, atMs: line.atMs, isLost: true };
    return { at, findings: [...gap, { invariant: 'L3', id: named, detail }] };
  }
  const folded = foldEntry(limits, { line, record, leg }, start);
  return { at: folded.at, findings: [...gap, ...folded.findings] };
}

/** The statement of an account ends too early, or has a hole. */
export function missing(accountId: string, from: number, to: number): Finding {
  const which = from === to ? `line ${from}` : `lines ${from} to ${to}`;
  return {
    invariant: 'L3',
    id: accountId,
    detail: `its statement lacks ${which}: see "npm run ops -- rebuild statements"`,
  };
}

interface Entry {
  readonly line: StandingLine;
  readonly record: LineRecord;
  readonly leg: Leg;
}

function foldEntry(limits: Limits, entry: Entry, before: Standpoint): Folded {
  const { line, leg } = entry;
  const { id, sourceId, createdAtMs } = factsOf(entry.record);
  const { seq } = line.standing;
  const tell = (invariant: Invariant, what: string): Finding => ({
    invariant,
    id,
    detail: `line ${seq} of ${limits.id}: ${what}`,
  });
  if (leg.seq !== seq) {
    const detail = `it has moved ${limits.id} at ${leg.seq} already`;
    const at = { ...before, seq, atMs: line.atMs, isLost: true };
    return { at, findings: [tell('L4', detail)] };
  }
  const expected = expectedAfter(limits, entry, { before, sourceId });
  const told = differences(expected, leg, line);
  const wrongTime = line.atMs === createdAtMs ? [] : ['the time of its line is another'];
  const unlisted = entry.record.isListed ? [] : ['no list of the journal has it'];
  const money = foldCurrency(limits, leg, before);
  const faults = [...told.faults, ...money.faults, ...wrongTime, ...unlisted];
  const settled = settle(expected, entry, { before, isOurs: told.isOurs });
  const at = { ...settled, currency: money.currency };
  const findings = faults.length > 0 ? [tell('L3', faults.join('; '))] : [];
  return { at, findings: [...findings, ...limitFaults(limits, leg, tell)] };
}

/**
 * All entries have the currency of the account. Where it has another one, the entries before say
 * which are wrong, so that one changed field is not told of at each of them.
 */
function foldCurrency(account: Limits, leg: Leg, before: Standpoint) {
  const expected = before.currency ?? account.currency;
  const isOfAccount = leg.currency === account.currency;
  const currency = isOfAccount ? leg.currency : (before.currency ?? leg.currency);
  if (leg.currency === expected) return { currency, faults: [] };
  const what = before.currency === undefined ? 'the account' : 'the entry before';
  return { currency, faults: [`it moves ${leg.currency}, and ${what} has ${expected}`] };
}

interface Expected {
  readonly balance: bigint;
  readonly held: bigint;
  readonly available: bigint;
  readonly hash: string;
}

function expectedAfter(
  { id, minBalance }: Limits,
  { leg, record }: Entry,
  { before, sourceId }: { readonly before: Standpoint; readonly sourceId: string },
): Expected {
  const { isLost, seq } = before;
  const balance = isLost ? (leg.balanceAfter ?? 0n) : before.credits - before.debits + leg.amount;
  const held = isLost ? (leg.heldAfter ?? 0n) : before.held + heldChangeOf(record, id);
  const moved = { ...leg, sourceId, seq: seq + 1, balanceAfter: balance, heldAfter: held };
  const hash = isLost ? (leg.hash ?? '') : chainHash(before.hash, moved);
  return { balance, held, available: balance - held - (minBalance ?? 0n), hash };
}

/** What is wrong, and whether our own sum is right where the leg says another. */
function differences(expected: Expected, leg: Leg, line: StandingLine) {
  const { standing } = line;
  const isOf = (what: Expected) =>
    what.balance === standing.balanceAfter && what.available === standing.availableAfter;
  const values: [string, unknown, unknown][] = [
    ['balanceAfter', leg.balanceAfter, expected.balance],
    ['heldAfter', leg.heldAfter, expected.held],
    ['availableAfter', leg.availableAfter, expected.available],
  ];
  const wrong = values
    .filter(([, is, should]) => is !== should)
    .map(([name, is, should]) => `${name} is ${is} and should be ${should}`);
  const lineSays = [
    ...(line.amount === leg.amount ? [] : [`the statement says ${line.amount}, not ${leg.amount}`]),
    ...(standing.balanceAfter === leg.balanceAfter ? [] : ['the statement has another balance']),
    ...(standing.availableAfter === leg.availableAfter ? [] : ['the statement has another rest']),
  ];
  const isChained = leg.hash === expected.hash;
  const faults = [...wrong, ...lineSays, ...(isChained ? [] : ['its hash does not chain'])];
  // The statement is a witness of its own: the leg alone was changed, or what it adds up to.
  const isOurs = wrong.length === 0 ? isChained || lineSays.length === 0 : isOf(expected);
  return { faults, isOurs };
}

/** Goes on from what is most likely right, so that one fault is told of once. */
function settle(
  expected: Expected,
  { leg, line }: Entry,
  { before, isOurs }: { readonly before: Standpoint; readonly isOurs: boolean },
): Standpoint {
  const common = { seq: line.standing.seq, atMs: line.atMs, isLost: false };
  const debits = before.debits + (leg.amount < 0n ? -leg.amount : 0n);
  if (isOurs && !before.isLost) {
    const credits = before.credits + (leg.amount > 0n ? leg.amount : 0n);
    const { held, hash } = expected;
    return { ...common, credits, debits, held, hash, isBroken: before.isBroken };
  }
  const credits = debits + (before.isLost ? expected.balance : line.standing.balanceAfter);
  const { heldAfter: held = 0n, hash = '' } = leg;
  return { ...common, credits, debits, held, hash, isBroken: true };
}

function limitFaults(
  { minBalance, maxBalance }: Limits,
  { amount, balanceAfter = 0n, heldAfter = 0n }: Leg,
  tell: (invariant: Invariant, what: string) => Finding,
): Finding[] {
  const findings: Finding[] = [];
  if (heldAfter < 0n) findings.push(tell('L5', `${heldAfter} is held`));
  if (minBalance !== null && balanceAfter - heldAfter < minBalance) {
    const what = `${balanceAfter} with ${heldAfter} held is below the minimum ${minBalance}`;
    findings.push(tell('L2', what));
  }
  if (maxBalance !== null && amount > 0n && balanceAfter > maxBalance) {
    findings.push(tell('L2', `${balanceAfter} is above the maximum ${maxBalance}`));
  }
  return findings;
}

/** A stored account, with what its conditions look at. */
export interface StoredAccount {
  readonly account: Account;
  readonly available: unknown;
  readonly room: unknown;
}

/** Whether a stored account is what its entries add up to. */
export function compareAccount(
  { account, available, room }: StoredAccount,
  at: Standpoint,
): Finding[] {
  const balance = at.credits - at.debits;
  const isKnown = at.seq === account.seq && !at.isLost;
  const values: [string, unknown, unknown][] = [
    ['the available amount', available, availableOf(account)],
    ['the room below the maximum', room, roomOf(account)],
    ...(isKnown ? ([['the balance', balanceOf(account), balance]] as const) : []),
    ...(isKnown && !at.isBroken ? ([['credits', account.credits, at.credits]] as const) : []),
    ...(isKnown ? ([['held', account.held, at.held]] as const) : []),
  ].map(([name, is, should]) => [String(name), is, should]);
  const wrong = values
    .filter(([, is, should]) => is !== should)
    .map(([name, is, should]) => `${name} is ${is} and should be ${should}`);
  const isOther =
    isKnown && account.hash !== at.hash ? ['its hash is that of another history'] : [];
  const isLate =
    isKnown && account.seq > 0 && account.lastLegMs !== at.atMs
      ? ['its last entry has another time']
      : [];
  const faults = [...wrong, ...isOther, ...isLate];
  return faults.length === 0
    ? []
    : [{ invariant: 'L3', id: account.id, detail: `as stored: ${faults.join('; ')}` }];
}
