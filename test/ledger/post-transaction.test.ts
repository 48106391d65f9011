import { beforeAll, describe, expect, it } from 'vitest';
import { accountKey, insertAccount, toAccount } from '../../functions/ledger/account.store.ts';
import { type Account, balanceOf, openAccount } from '../../functions/ledger/account.ts';
import { postTransaction } from '../../functions/ledger/post-transaction.ts';
import type { Posting, TransactionDraft } from '../../functions/ledger/transaction.ts';
import type { Db } from '../../functions/shared/world.ts';
import { newTenant, type TestWorld, testWorld } from '../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

describe('postTransaction', () => {
  it('writes accounts, journal and event of a transfer in one commit of 10 units', async () => {
    const { a, b, draft } = await funded('1000');
    world.takeUnits();

    const { transaction } = await postTransaction(world, draft({ amount: 300n }));

    const write = world.units.find((it) => it.operation === 'commit');
    expect(unitsOf(write)).toBe(10);
    expect(unitsOf(world.units.find((it) => it.operation === 'getAll'))).toBe(3);
    expect(transaction.legs.map((it) => it.balanceAfter)).toEqual([700n, 300n]);
    expect([await balance(a), await balance(b)]).toEqual([700n, 300n]);
  });

  it('answers a repetition with the first transaction and writes nothing', async () => {
    const { a, draft } = await funded('1000');
    const same = draft({ amount: 10n });
    const first = await postTransaction(world, same);
    world.takeUnits();

    const second = await postTransaction(world, same);

    expect(second).toEqual({ transaction: first.transaction, replayed: true });
    expect(world.units.filter((it) => it.operation === 'commit')).toEqual([]);
    expect(await balance(a)).toBe(990n);
  });

  it('makes one transaction of ten parallel copies', async () => {
    const { a, draft } = await funded('1000');
    const same = draft({ amount: 100n });

    const all = await Promise.all(Array.from({ length: 10 }, () => postTransaction(world, same)));

    expect(new Set(all.map((it) => it.transaction.id))).toEqual(new Set([same.id]));
    expect(all.filter((it) => !it.replayed)).toHaveLength(1);
    expect(await balance(a)).toBe(900n);
  });

  it('never overdraws under concurrent debits: what does not fit is refused or busy', async () => {
    const { a, draft } = await funded('1000');
    const debits = Array.from({ length: 20 }, () => draft({ amount: 300n }));

    const outcomes = await Promise.all(debits.map((it) => outcome(postTransaction(world, it))));

    const posted = outcomes.filter((it) => it === 'posted').length;
    expect(await balance(a)).toBe(1000n - 300n * BigInt(posted));
    expect(posted).toBeGreaterThanOrEqual(1);
    expect(posted).toBeLessThanOrEqual(3);
    expect(new Set([...outcomes, 'posted', 'insufficient_funds', 'busy']).size).toBe(3);
  });

  it('remembers a refusal, even when the money has arrived since', async () => {
    const { draft, credit } = await funded('100');
    const tooMuch = draft({ amount: 101n });
    await expect(postTransaction(world, tooMuch)).rejects.toThrow('has 1.00 EUR available');

    await postTransaction(world, credit(1_000n));

    const again = postTransaction(world, tooMuch);
    await expect(again).rejects.toMatchObject({
      code: 'insufficient_funds',
      facts: { replayed: true },
    });
  });

  it('refuses the key of another request', async () => {
    const { draft } = await funded('100');
    const first = draft({ amount: 1n, fingerprint: 'v1:a' });
    await postTransaction(world, first);

    await expect(postTransaction(world, { ...first, fingerprint: 'v1:b' })).rejects.toMatchObject({
      code: 'idempotency_key_reused',
    });
  });

  it('answers busy with Retry-After when others keep winning, and moves nothing', async () => {
    const { a, draft } = await funded('100');
    const db: Db = {
      ...world.db,
      commit: async (writes) => ({ ok: false, reasons: writes.map(() => ({ code: 'conflict' })) }),
    };

    await expect(postTransaction({ ...world, db }, draft({ amount: 1n }))).rejects.toMatchObject({
      code: 'busy',
      facts: { retryAfterSeconds: 1 },
    });
    expect(await balance(a)).toBe(100n);
  });

  it('finds its own transaction when the answer of the commit was lost', async () => {
    const { a, draft } = await funded('100');
    const lossy: Db = {
      ...world.db,
      commit: async (writes) => {
        await world.db.commit(writes);
        throw new Error('the answer was lost');
      },
    };
    const once = draft({ amount: 40n });
    await expect(postTransaction({ ...world, db: lossy }, once)).rejects.toThrow('lost');

    expect(await postTransaction(world, once)).toMatchObject({ replayed: true });
    expect(await balance(a)).toBe(60n);
  });

  it('names the accounts that do not exist', async () => {
    const { draft } = await funded('100');
    const stranger = world.ids.next('acc');

    await expect(
      postTransaction(world, draft({ amount: 1n, destinationId: stranger })),
    ).rejects.toMatchObject({ code: 'not_found', message: `There is no account ${stranger}.` });
  });
});

/** Two accounts of a fresh tenant, the first with money, and drafts between them. */
async function funded(amount: string) {
  const tenantId = newTenant(world);
  const [a, b] = await Promise.all([newAccount(tenantId), newAccount(tenantId)]);
  const posting = { sourceId: a.id, destinationId: b.id, amount: 1n, currency: 'EUR' };
  const draft = (
    { fingerprint = 'v1:same', ...moved }: Partial<Posting> & { fingerprint?: string },
    type: TransactionDraft['type'] = 'transfer',
  ): TransactionDraft => ({
    id: world.ids.next('txn'),
    tenantId,
    type,
    postings: [{ ...posting, ...moved }],
    fingerprint,
  });
  const credit = (amount: bigint) =>
    draft({ sourceId: '@world', destinationId: a.id, amount }, 'credit');
  await postTransaction(world, credit(BigInt(amount)));
  return { a, b, draft, credit };
}

const LIMITS = { mode: 'limited', minBalance: 0n, maxBalance: null } as const;

async function newAccount(tenantId: string): Promise<Account> {
  const terms = { id: world.ids.next('acc'), tenantId, currency: 'EUR', ...LIMITS };
  const account = openAccount(terms, world.clock.nowMs());
  await world.db.commit(insertAccount(account, {}));
  return account;
}

async function balance({ tenantId, id }: Account): Promise<bigint> {
  const item = await world.db.get('ledger', accountKey(tenantId, id));
  if (!item) throw new Error('the account is gone');
  return balanceOf(toAccount(item));
}

async function outcome(posting: Promise<unknown>): Promise<string> {
  return posting.then(
    () => 'posted',
    (error: { code: string }) => error.code,
  );
}

function unitsOf(units: TestWorld['units'][number] | undefined): number {
  return (units?.consumed ?? []).reduce((sum, it) => sum + (it.CapacityUnits ?? 0), 0);
}
