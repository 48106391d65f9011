import { beforeAll, expect, it } from 'vitest';
import { drawOperation, type Knowledge, type Operation } from '../soak/bank-operations.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { laggingDb, patientClock } from './lagging-db.ts';
import { faultsOf, type LedgerAnswer, type LedgerClient, ledgerClient } from './ledger-client.ts';

const CLIENTS = 5;
const OPERATIONS = 10;
const COPIES = 3;

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

/** What may have changed between two copies: a hold is answered as it is now. */
const GOES_ON = ['requestId', 'replayed', 'reversedBy'];
const OF_A_NEW_HOLD = [
  ...['status', 'transactionId', 'capturedAmount', 'resolvedAt', 'destinationAccountId'],
];

function toldBy({ kind }: Operation, { status, body }: LedgerAnswer): string {
  const passed = kind === 'hold' ? [...GOES_ON, ...OF_A_NEW_HOLD] : GOES_ON;
  if (status >= 300) return `${status} ${body.code}`;
  return JSON.stringify(body, (name, value) => (passed.includes(name) ? undefined : value));
}

async function sendCopies(
  ledger: LedgerClient,
  { path, body, key, innerKeys }: Operation,
): Promise<LedgerAnswer[]> {
  const send = async (): Promise<LedgerAnswer> => {
    const answer = await ledger.post(path, body, innerKeys ? null : key);
    const all = [answer, ...(answer.body.results ?? [])];
    return all.some((it) => Number(it.status) === 503) ? send() : answer;
  };
  return Promise.all(Array.from({ length: COPIES }, send));
}

/** An account of each kind, which all clients use. */
async function openBank(ledger: LedgerClient): Promise<Knowledge> {
  const terms = [{}, {}, {}, { maxBalance: '3000' }, { minBalance: '-500' }, { minBalance: null }];
  const euros = await Promise.all(terms.map((it) => ledger.open(it, '1000')));
  const dollars = [await ledger.open({ currency: 'USD' }, '1000')];
  const fees = await ledger.open({ mode: 'derived' });
  const nowMs = () => world.clock.nowMs();
  return { euros, dollars, fees, holds: [], transactions: [], nowMs };
}

function learn(known: Knowledge, { body }: LedgerAnswer): void {
  for (const { id } of [body, body.transaction, ...(body.transactions ?? [])].filter(Boolean)) {
    if (id?.startsWith('hld_')) known.holds.push(id);
    if (id?.startsWith('txn_')) known.transactions.push(id);
  }
}

it('answers all copies of each request alike, where commits show item by item', async () => {
  const dice = diceOf(1);
  const doors = { ...world, clock: patientClock(world.clock), db: laggingDb(world.db, dice) };
  const ledger = ledgerClient(doors, newTenant(world));
  const known = await openBank(ledger);
  const contradictions: string[] = [];
  const client = async (number: number) => {
    for (let n = 0; n < OPERATIONS; n += 1) {
      const operation = drawOperation(dice, known, `c${number}-${n}`);
      const answers = await sendCopies(ledger, operation);
      const told = new Set(answers.map((it) => toldBy(operation, it)));
      if (told.size > 1) contradictions.push([operation.kind, ...told].join('\n'));
      if (answers[0] && answers[0].status < 300) learn(known, answers[0]);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));

  expect(contradictions).toEqual([]);
  expect(world.lines.filter((it) => it.event === 'api.bug')).toEqual([]);
  expect(await faultsOf(world, ledger.tenantId)).toEqual([]);
});
