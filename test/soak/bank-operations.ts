import type { Dice } from '../support/fuzz/dice.ts';

/** A request that moves money, under one key, or of a batch under the keys inside. */
export interface Operation {
  readonly kind: string;
  readonly path: string;
  readonly body: unknown;
  readonly key: string;
  /** The keys inside a batch that is not atomic; its own means nothing then. */
  readonly innerKeys?: readonly string[];
  /** How many transactions an atomic batch has. */
  readonly batchSize?: number;
}

/** What the clients of a bank know, all of them together. */
export interface Knowledge {
  /** Limited accounts in EUR. */
  readonly euros: readonly string[];
  /** Limited accounts in USD. */
  readonly dollars: readonly string[];
  /** A derived account in EUR. */
  readonly fees: string;
  /** Holds and transactions that were made, of which some are over or reversed by now. */
  readonly holds: string[];
  readonly transactions: string[];
  nowMs(): number;
}

const AMOUNT_MAX = 400;
const BATCH_SIZES = [2, 3, 5] as const;
const HOLD_MS_MAX = 5_000;

type Draw = (dice: Dice, known: Knowledge, key: string) => Omit<Operation, 'key' | 'kind'>;

const amount = (dice: Dice) => String(1 + dice.below(AMOUNT_MAX));
const currency = 'EUR';

function pair(dice: Dice, { euros }: Knowledge): readonly [string, string] {
  const from = dice.below(euros.length);
  const to = (from + 1 + dice.below(euros.length - 1)) % euros.length;
  return [euros[from] ?? '', euros[to] ?? ''];
}

function transfer(dice: Dice, known: Knowledge) {
  const [sourceAccountId, destinationAccountId] = pair(dice, known);
  const sides = { type: 'transfer', sourceAccountId, destinationAccountId };
  return { ...sides, amount: amount(dice), currency };
}

function single(dice: Dice, { euros }: Knowledge, type: 'credit' | 'debit') {
  return { type, accountId: dice.pick(euros), amount: amount(dice), currency };
}

/** A purchase with a fee, paid in the end from dollars that are exchanged through the world. */
function journal(dice: Dice, known: Knowledge) {
  const [buyer, seller] = pair(dice, known);
  const [price, fee] = [amount(dice), String(1 + dice.below(9))];
  const posting = (
    sourceAccountId: string,
    destinationAccountId: string,
    of: { amount: string; currency?: string },
  ) => ({ sourceAccountId, destinationAccountId, currency, ...of });
  const exchange = [
    posting(dice.pick(known.dollars), '@world', { amount: price, currency: 'USD' }),
    posting('@world', buyer, { amount: price }),
  ];
  return {
    type: 'journal',
    postings: [
      ...(dice.chance(0.5) ? exchange : []),
      posting(buyer, seller, { amount: price }),
      posting(seller, known.fees, { amount: fee }),
    ],
  };
}

const POST = '/v1/transactions';
const NOBODY = '0'.repeat(26);
/** Of what may not be there: then it is asked for what nobody has made. */
const known = (dice: Dice, ids: readonly string[], prefix: string) =>
  ids.length === 0 ? `${prefix}_${NOBODY}` : dice.pick(ids.slice(-30));

const DRAWS: Readonly<Record<string, readonly [weight: number, draw: Draw]>> = {
  transfer: [30, (dice, it) => ({ path: POST, body: transfer(dice, it) })],
  credit: [6, (dice, it) => ({ path: POST, body: single(dice, it, 'credit') })],
  debit: [6, (dice, it) => ({ path: POST, body: single(dice, it, 'debit') })],
  journal: [10, (dice, it) => ({ path: POST, body: journal(dice, it) })],
  precondition: [4, drawPrecondition],
  hold: [14, drawHold],
  capture: [10, drawCapture],
  void: [
    6,
    (dice, it) => ({ path: `/v1/holds/${known(dice, it.holds, 'hld')}/void`, body: undefined }),
  ],
  reversal: [
    8,
    (dice, it) => ({
      path: `${POST}/${known(dice, it.transactions, 'txn')}/reversals`,
      body: { reference: 'taken back' },
    }),
  ],
  together: [4, drawTogether],
  each: [3, drawEach],
};

function drawPrecondition(dice: Dice, it: Knowledge) {
  const preconditions = [{ accountId: dice.pick(it.euros), minAvailable: amount(dice) }];
  return { path: POST, body: { ...transfer(dice, it), preconditions } };
}

function drawHold(dice: Dice, it: Knowledge) {
  const [accountId, destinationAccountId] = pair(dice, it);
  const expiresAt = new Date(it.nowMs() + 100 + dice.below(HOLD_MS_MAX)).toISOString();
  const body = { accountId, amount: amount(dice), currency, destinationAccountId };
  return { path: '/v1/holds', body: dice.chance(0.4) ? { ...body, expiresAt } : body };
}

function drawCapture(dice: Dice, it: Knowledge) {
  const path = `/v1/holds/${known(dice, it.holds, 'hld')}/capture`;
  return { path, body: dice.chance(0.5) ? {} : { amount: amount(dice) } };
}

function drawTogether(dice: Dice, it: Knowledge) {
  const batchSize = dice.pick(BATCH_SIZES);
  const transactions = Array.from({ length: batchSize }, () => transfer(dice, it));
  return { path: `${POST}/batch`, body: { atomic: true, transactions }, batchSize };
}

function drawEach(dice: Dice, it: Knowledge, key: string) {
  const innerKeys = Array.from({ length: dice.pick(BATCH_SIZES) }, (_, n) => `${key}-${n}`);
  const transactions = innerKeys.map((idempotencyKey) => ({
    ...transfer(dice, it),
    idempotencyKey,
  }));
  return { path: `${POST}/batch`, body: { atomic: false, transactions }, innerKeys };
}

const KINDS = Object.entries(DRAWS).flatMap(([kind, [weight]]) =>
  Array.from({ length: weight }, () => kind),
);

/** The next thing that a client does. Equal dice and knowledge give equal operations. */
export function drawOperation(dice: Dice, it: Knowledge, key: string): Operation {
  const kind = dice.pick(KINDS);
  const [, draw] = DRAWS[kind] ?? [];
  if (!draw) throw new Error(`no operation ${kind}`);
  return { kind, key, ...draw(dice, it, key) };
}
