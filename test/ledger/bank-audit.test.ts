import { beforeAll, describe, expect, it } from 'vitest';
import type { Item } from '../../functions/shared/world.ts';
import { type BankAnswer, type BankDay, runBank, type Settled, type Teller } from '../soak/bank.ts';
import { auditBank } from '../soak/bank-audit.ts';
import { type Snapshot, takeSnapshot } from '../support/invariants/snapshot.ts';
import { newTenant, testWorld } from '../support/world.ts';
import { ledgerClient } from './ledger-client.ts';

/** A true day, to plant one fault in at a time. */
let day: BankDay;
let snapshot: Snapshot;
let tenantId: string;
beforeAll(async () => {
  const world = await testWorld();
  // Who is faster decides what a day has: it must have both answers that are retold below.
  for (let seed = 4; seed < 24; seed += 1) {
    tenantId = newTenant(world);
    const { post } = ledgerClient(world, tenantId);
    const teller = {
      post: post as unknown as Teller['post'],
      nowMs: world.clock.nowMs,
      pause: async () => world.clock.advance(10),
    };
    day = await runBank(teller, { clients: 3, seed, isOpen: (done) => done < 120 });
    if (day.settled.some(isPosted) && day.settled.some(isRefused)) break;
  }
  snapshot = await takeSnapshot(world.client, world.tables);
});

const isPosted = ({ operation, answer }: Settled) =>
  operation.kind === 'transfer' && answer.status === 201;
const isRefused = ({ operation, answer }: Settled) =>
  operation.kind === 'transfer' && answer.body.code === 'insufficient_funds';

/** The first one of these is told otherwise. */
function retell(which: (it: Settled) => boolean, other: (it: BankAnswer) => BankAnswer): BankDay {
  const at = day.settled.findIndex(which);
  const was = day.settled[at];
  if (!was) throw new Error('there is no such answer');
  return { ...day, settled: day.settled.with(at, { ...was, answer: other(was.answer) }) };
}

/**
 * Days that were tried before this one have left their accounts in the snapshot too. A derived
 * account has its balance from its entries, and none of its own that could be another one.
 */
const hasBalanceOfTheDay = (it: Item) =>
  String(it.pk).startsWith(`${tenantId}#`) &&
  String(it.id).startsWith('acc_') &&
  it.mode !== 'derived';

const edited = (edit: (items: readonly Item[]) => readonly Item[]): Snapshot => ({
  ...snapshot,
  ledger: edit(snapshot.ledger),
});

describe('the audit of a bank', () => {
  it('finds nothing on a true day', () => {
    expect(auditBank(day, tenantId, snapshot)).toEqual([]);
  });

  it.each<[string, string, () => BankDay]>([
    [
      'a success that is not in the journal',
      'was answered made, the journal says rejected',
      () => retell(isRefused, (it) => ({ ...it, status: 201, body: { id: 'txn_1' } })),
    ],
    [
      'an effect that was answered as a refusal',
      'was answered rejected, the journal says made',
      () =>
        retell(isPosted, (it) => ({ ...it, status: 422, body: { code: 'insufficient_funds' } })),
    ],
    [
      'an effect whose key was said to be free',
      'was answered none, the journal says made',
      () => retell(isPosted, (it) => ({ ...it, status: 404, body: { code: 'not_found' } })),
    ],
    [
      'a refusal for another reason',
      'was refused for limit_exceeded',
      () => retell(isRefused, (it) => ({ ...it, body: { ...it.body, code: 'limit_exceeded' } })),
    ],
    [
      'a refusal of what was there',
      'was refused wrongly',
      () =>
        retell(isRefused, (it) => ({ ...it, body: { ...it.body, detail: 'a has 9.99 EUR av' } })),
    ],
    [
      'an effect that nobody asked for',
      'nobody asked for',
      () => ({ ...day, settled: day.settled.filter((it) => !isPosted(it)) }),
    ],
    [
      'an entry of another amount',
      'its clients were told of',
      () =>
        retell(isPosted, (it) => {
          const [first, ...rest] = it.body.entries ?? [];
          const entries = [{ accountId: first?.accountId ?? '', amount: '-9999' }, ...rest];
          return { ...it, body: { ...it.body, entries } };
        }),
    ],
    [
      'two answers to one request',
      'this but that',
      () => ({ ...day, contradictions: ['this but that'] }),
    ],
  ])('names %s', (_what, sentence, plant) => {
    expect(auditBank(plant(), tenantId, snapshot).join('\n')).toContain(sentence);
  });

  it('names a record that vanished', () => {
    const posted = day.settled.find(isPosted)?.answer.body.id;
    const without = edited((items) => items.filter((it) => it.id !== posted));

    expect(auditBank(day, tenantId, without).join('\n')).toContain(
      'was answered made, the journal says none',
    );
  });

  it('names an account whose balance is another one', () => {
    const first = snapshot.ledger.find(hasBalanceOfTheDay);
    const richer = edited((items) => items.map((it) => (it === first ? { ...it, cr: 1e9 } : it)));

    expect(auditBank(day, tenantId, richer).join('\n')).toContain('its clients were told of');
  });
});
