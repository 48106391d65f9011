import { beforeAll, describe, expect, it } from 'vitest';
import { expireHold } from '../../functions/ledger/expire-hold.ts';
import { toHold } from '../../functions/ledger/hold.store.ts';
import { Problem } from '../../functions/shared/problem.ts';
import type { World } from '../../functions/shared/world.ts';
import { type BankDay, runBank, type Teller } from '../soak/bank.ts';
import { auditBank, outcomesOf } from '../soak/bank-audit.ts';
import { diceOf } from '../support/fuzz/dice.ts';
import { takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';
import { type Fault, randomFaults } from './faulty-db.ts';
import { ledgerClient } from './ledger-client.ts';
import { tornReads } from './torn-reads.ts';

const OPERATIONS = 200;
const CLIENTS = 10;

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

describe('a bank whose database conflicts, throttles, and loses answers', () => {
  const outcomes = new Set<string>();

  it.each([1, 2, 3])('has exactly the effects that it answered: seed %i', async (seed) => {
    const tenantId = newTenant(world);
    const { db, counts } = randomFaults(world.db, diceOf(seed));
    const faulty = { ...world, db };

    const day = await openDay(faulty, tenantId, seed);
    await expireAll(faulty, tenantId);

    const snapshot = await takeSnapshot(world.client, world.tables);
    expect(auditBank(day, tenantId, snapshot)).toEqual([]);
    expectFaults(day, counts);
    for (const outcome of outcomesOf(day).keys()) outcomes.add(outcome);
    expect(pendingOf(snapshot.ledger, tenantId).filter((it) => it.expiresAtMs)).toEqual([]);
  });

  it('has them too when no read is a snapshot', async () => {
    const tenantId = newTenant(world);
    const torn = { ...world, db: tornReads(world.db, diceOf(4)) };

    const day = await openDay(torn, tenantId, 4);

    const snapshot = await takeSnapshot(world.client, world.tables);
    expect(auditBank(day, tenantId, snapshot)).toEqual([]);
    expect(day.replays).toBeGreaterThan(5);
  });

  // Which of the clients is served first is up to the machine: one day may lack what is rare.
  it.each(['transfer', 'journal', 'hold', 'capture', 'void', 'reversal', 'together'])(
    'has had days with a %s that succeeded',
    (kind) => {
      expect([...outcomes].filter((it) => it.startsWith(`${kind} 20`))).not.toEqual([]);
    },
  );

  it('has had days on which money was short', () => {
    expect([...outcomes]).toContain('transfer 422 insufficient_funds');
  });
});

async function openDay(faulty: TestWorld, tenantId: string, seed: number): Promise<BankDay> {
  const ledger = ledgerClient(faulty, tenantId);
  const teller = {
    // A bank looks at less of an answer, and calls what may be absent absent.
    post: ledger.post as unknown as Teller['post'],
    nowMs: world.clock.nowMs,
    pause: async () => world.clock.advance(10),
  };
  const isOpen = (done: number) => done < OPERATIONS;
  return runBank(teller, { clients: CLIENTS, seed, isOpen });
}

/** What a day has to have survived, for its other assertions to mean anything. */
function expectFaults(day: BankDay, faults: ReadonlyMap<Fault, number>): void {
  expect([...faults.keys()].toSorted()).toEqual([
    ...['conflict', 'failed', 'lost', 'throttled', 'unread'],
  ]);
  expect(day.unknown).toBeGreaterThan(20);
  expect(day.replays).toBeGreaterThan(20);
}

const pendingOf = (ledger: readonly object[], tenantId: string) =>
  (ledger as { id?: string; tenant?: string; sk?: string }[])
    .filter((it) => it.tenant === tenantId && it.sk === '#' && it.id?.startsWith('hld_'))
    .map(toHold)
    .filter((it) => it.status === 'pending');

/** An hour later each message of a hold has come, some several times because it failed. */
async function expireAll(
  faulty: Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters' | 'queues'>,
  tenantId: string,
): Promise<void> {
  world.clock.advance(3_600_000);
  const { ledger } = await takeSnapshot(world.client, world.tables);
  for (const { id, expiresAtMs: dueMs } of pendingOf(ledger, tenantId)) {
    if (dueMs === undefined) continue;
    const message = { pk: `${tenantId}#${id.slice('hld_'.length)}`, dueMs };
    let isDone = false;
    while (!isDone) {
      world.sent.splice(0);
      isDone = await expireHold(message, faulty).then(() => world.sent.length === 0, ifOutage);
    }
  }
}

function ifOutage(error: unknown): false {
  if (error instanceof Problem && error.code === 'unavailable') return false;
  throw error;
}
