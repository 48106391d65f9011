import { type Dice, diceOf } from '../support/fuzz/dice.ts';
import { drawOperation, type Knowledge, type Operation } from './bank-operations.ts';

/** What the clients look at in an answer. */
export interface BankBody {
  readonly id?: string;
  readonly code?: string;
  readonly detail?: string;
  readonly status?: unknown;
  readonly entries?: readonly BankEntry[];
  readonly hold?: BankBody;
  readonly transaction?: BankBody;
  readonly transactions?: readonly BankBody[];
  readonly results?: readonly {
    readonly status: number;
    readonly transaction?: BankBody;
    readonly problem?: BankBody;
  }[];
}

export interface BankEntry {
  readonly accountId: string;
  readonly amount: string;
}

export interface BankAnswer {
  readonly status: number;
  readonly body: BankBody;
  readonly replayed: boolean;
}

/** Who takes the requests of the bank's clients. */
export interface Teller {
  /** Undefined when no answer came, so that nobody knows what it did. A null key sends none. */
  post(path: string, body: unknown, key: string | null): Promise<BankAnswer | undefined>;
  nowMs(): number;
  /** Before a request is sent again. */
  pause(): Promise<void>;
}

/** A request with the answer that it came to in the end. */
export interface Settled {
  readonly operation: Operation;
  readonly answer: BankAnswer;
  /** A copy without an answer may be under way still, and this answer has left its key free. */
  readonly inDoubt?: boolean;
}

/** What happened at the bank. */
export interface BankDay {
  readonly settled: Settled[];
  /** Answers that differ from another one to the same request. */
  readonly contradictions: string[];
  /** How often no definite answer came, and how often an earlier one did. */
  unknown: number;
  replays: number;
}

export interface BankPlan {
  readonly clients: number;
  readonly seed: number;
  /** Whether another operation is begun. */
  isOpen(done: number): boolean;
}

const FUNDS = '1000';
const COPIES = 3;
const COPIES_SHARE = 0.1;
const REPEAT_SHARE = 0.15;
/** So long a request may stay without a definite answer. */
const TRIES_MAX = 400;

/**
 * Ten accounts and a derived one, on which clients move money at the same time. Each request is
 * sent until it has a definite answer; some are sent several times at once, or once more.
 */
export async function runBank(teller: Teller, plan: BankPlan): Promise<BankDay> {
  const day: BankDay = { settled: [], contradictions: [], unknown: 0, replays: 0 };
  const known = await openBank(teller, day, plan.seed);
  const client = async (number: number) => {
    const dice = diceOf(plan.seed * 1_000 + number);
    for (let n = 0; plan.isOpen(day.settled.length); n += 1) {
      const operation = drawOperation(dice, known, `s${plan.seed}-c${number}-${n}`);
      const settled = await settle(teller, operation, { day, dice });
      day.settled.push(settled);
      learn(known, settled.answer);
    }
  };
  await Promise.all(Array.from({ length: plan.clients }, (_, number) => client(number)));
  await clearDoubts(teller, day);
  return day;
}

/** When nothing else is under way any more, the next answer is the last word. */
async function clearDoubts(teller: Teller, day: BankDay): Promise<void> {
  await teller.pause();
  for (const [at, { operation, inDoubt }] of day.settled.entries()) {
    if (!inDoubt) continue;
    const { answer } = await definite(teller, requestOf(operation), day);
    day.settled[at] = { operation, answer };
  }
}

async function openBank(teller: Teller, day: BankDay, seed: number): Promise<Knowledge> {
  const open = async (name: string, terms: object) => {
    const body = { currency: 'EUR', ...terms };
    const request = ['/v1/accounts', body, `s${seed}-${name}`] as const;
    const { answer } = await definite(teller, request, day);
    return answer.body.id ?? '';
  };
  const usual = Array.from({ length: 5 }, () => ({}));
  const terms = [...usual, { minBalance: '-500' }, { maxBalance: '3000' }, { minBalance: null }];
  const euros = await Promise.all(terms.map((it, n) => open(`eur-${n}`, it)));
  const usd = { currency: 'USD' };
  const dollars = await Promise.all([0, 1].map((n) => open(`usd-${n}`, usd)));
  const fees = await open('fees', { mode: 'derived' });
  for (const [n, accountId] of [...euros, ...dollars].entries()) {
    const currency = dollars.includes(accountId) ? 'USD' : 'EUR';
    const body = { type: 'credit', accountId, amount: FUNDS, currency };
    const [path, key] = ['/v1/transactions', `s${seed}-funds-${n}`];
    const { answer } = await definite(teller, [path, body, key], day);
    day.settled.push({ operation: { kind: 'funds', path, body, key }, answer });
  }
  const nowMs = () => teller.nowMs();
  return { euros, dollars, fees, holds: [], transactions: [], nowMs };
}

/** The operation with its answer, held against those that its copies get. */
async function settle(
  teller: Teller,
  operation: Operation,
  { day, dice }: { readonly day: BankDay; readonly dice: Dice },
): Promise<Settled> {
  const send = () => definite(teller, requestOf(operation), day);
  const copies = dice.chance(COPIES_SHARE) ? COPIES : 1;
  const all = await Promise.all(Array.from({ length: copies }, send));
  if (dice.chance(REPEAT_SHARE)) all.push(await send());
  const answers = all.map((it) => it.answer);
  const [first] = answers;
  if (!first) throw new Error('there is at least one copy');
  const remembered = answers.filter((it) => isRemembered(it, operation));
  const said = new Set(remembered.map(identityOf));
  if (said.size > 1) day.contradictions.push(`${operation.key}: ${[...said].join(' but ')}`);
  const answer = remembered.find((it) => it.status < 300) ?? remembered[0] ?? first;
  const inDoubt = !isRemembered(answer, operation) && all.some((it) => it.tries > 1);
  return { operation, answer, inDoubt };
}

function requestOf({ path, body, key, innerKeys }: Operation): Request {
  return [path, body, innerKeys ? null : key];
}

/** What leaves its key free may be answered otherwise a moment later. */
function isRemembered({ status, body }: BankAnswer, { innerKeys }: Operation): boolean {
  if (innerKeys) return (body.results ?? []).every((it) => it.status === 201);
  return status < 300 || (status === 422 && body.code !== 'validation_failed');
}

/** Which objects an answer is about. Their states go on. */
function identityOf({ status, body }: BankAnswer): string {
  const { id, code, hold, transaction, transactions = [], results = [] } = body;
  const ids = [hold?.id, transaction?.id, ...transactions.map((it) => it.id)];
  const inner = results.map((it) => `${it.status} ${it.transaction?.id}`);
  return [status, code, id, ...ids, ...inner].filter((it) => it !== undefined).join(' ');
}

type Request = readonly [path: string, body: unknown, key: string | null];

/** The first answer that is more than a server's not knowing, and at which try it came. */
async function definite(teller: Teller, request: Request, day: BankDay) {
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const answer = await teller.post(...request);
    if (answer && !isOpenStill(answer)) {
      if (answer.replayed) day.replays += 1;
      return { answer, tries };
    }
    day.unknown += 1;
    await teller.pause();
  }
  throw new Error(`no answer to ${JSON.stringify(request)}`);
}

/** A server that says that it does not know, for the request or for a part of it. */
function isOpenStill({ status, body }: BankAnswer): boolean {
  const statuses = [status, ...(body.results ?? []).map((it) => it.status)];
  return statuses.some((it) => it >= 500 || it === 429);
}

function learn(known: Knowledge, { status, body }: BankAnswer): void {
  if (status >= 300) return;
  const made = [body, body.transaction, ...(body.transactions ?? [])];
  const inner = (body.results ?? []).map((it) => it.transaction);
  for (const { id = '' } of [...made, ...inner].filter((it) => it !== undefined)) {
    if (id.startsWith('hld_')) known.holds.push(id);
    if (id.startsWith('txn_')) known.transactions.push(id);
  }
}
