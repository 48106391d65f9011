import {
  accountKey,
  externalIdKey,
  saveMovement,
  toAccount,
  toDetails,
} from '../ledger/account.store.ts';
import { type Account, balanceOf, type Leg, moveAccount, WORLD } from '../ledger/account.ts';
import { listAccountRows } from '../ledger/account-list.store.ts';
import { readable } from '../shared/form.ts';
import type { World, Write } from '../shared/world.ts';
import { isOnList, UNLISTED } from './check-moved-accounts.ts';
import { factsOf, heldChangeOf, type JournalRecord } from './journal-record.ts';
import { type Repair, repairOne } from './repair-one.ts';

type Needs = Pick<World, 'db'>;

/** So many entries beyond their balances are kept in memory; more are found by the next run. */
const BEYOND_MAX = 200_000;

/** An entry of the journal on one account. */
interface Entry {
  readonly leg: Leg;
  readonly sourceId: string;
  readonly atMs: number;
  readonly heldChange: bigint;
}

/** What the journal says of balances, gathered while it is read. */
export class Entries {
  /** The last entry of each limited account. */
  readonly #last = new Map<string, number>();
  /** Those that a stored account does not know of. */
  readonly #beyond = new Map<string, Entry[]>();
  #count = 0;
  /** Which accounts were missed already. */
  readonly #missed = new Set<string>();

  /** Looks at some records; an account that they move and that nobody finds is lost. */
  async add(
    { db }: Needs,
    tenantId: string,
    { records, repair }: { readonly records: readonly JournalRecord[]; readonly repair: Repair },
  ): Promise<void> {
    const moves = records.flatMap((record) => {
      const { id, sourceId, createdAtMs: atMs, legs } = factsOf(record);
      return legs
        .filter(({ accountId }) => accountId !== WORLD)
        .map((leg) => {
          const heldChange = heldChangeOf(record, leg.accountId);
          return { id, leg, sourceId, atMs, heldChange };
        });
    });
    const accounts = await findAccounts(db, tenantId, [
      ...new Set(moves.map((it) => it.leg.accountId)),
    ]);
    for (const { id, ...entry } of moves) {
      const { accountId, seq } = entry.leg;
      const { account, isListed } = accounts.get(accountId) ?? {};
      if (!isListed && !this.#missed.has(accountId)) {
        this.#missed.add(accountId);
        const what = account ? UNLISTED : 'the account is not there';
        repair.lost({ id: accountId, detail: `${what}, and ${id} moves it` });
      }
      if (seq === undefined || !account) continue;
      this.#last.set(accountId, Math.max(seq, this.#last.get(accountId) ?? 0));
      if (seq > account.seq && this.#count < BEYOND_MAX) this.#keep(accountId, entry);
    }
  }

  #keep(accountId: string, entry: Entry): void {
    this.#count += 1;
    const entries = this.#beyond.get(accountId);
    if (entries) entries.push(entry);
    else this.#beyond.set(accountId, [entry]);
  }

  lastOf(accountId: string): number {
    return this.#last.get(accountId) ?? 0;
  }

  beyond(accountId: string): readonly Entry[] {
    const entries = this.#beyond.get(accountId) ?? [];
    return entries.toSorted((a, b) => (a.leg.seq ?? 0) - (b.leg.seq ?? 0));
  }
}

interface FoundAccount {
  readonly account: Account;
  readonly isListed: boolean;
}

async function findAccounts(
  db: Needs['db'],
  tenantId: string,
  ids: readonly string[],
): Promise<Map<string, FoundAccount>> {
  if (ids.length === 0) return new Map();
  const items = await db.getAll(
    ids.map((id) => ({ table: 'ledger', ...accountKey(tenantId, id) })),
  );
  return new Map(
    items.flatMap((item) => {
      const account = item && readable(() => toAccount(item));
      if (!account) return [];
      return [[account.id, { account, isListed: isOnList(tenantId, account.id, item) }] as const];
    }),
  );
}

/**
 * Each account of a tenant: brings its balance to the last entry of the journal, as far as each
 * entry follows from the one before, hash by hash. A balance that has moved beyond the journal is
 * lost: nobody knows what moved it. Answers the accounts, page by page, as they are then.
 */
export async function* repairBalances(
  world: Needs,
  tenantId: string,
  { entries, repair }: { readonly entries: Entries; readonly repair: Repair },
): AsyncGenerator<readonly Account[]> {
  for await (const items of listAccountRows(world.db, tenantId)) {
    const ids = items.map((it) => String(it.listingSk).replace(/^\d+#/, ''));
    const found = await findAccounts(world.db, tenantId, ids);
    const accounts = [...found.values()].map((it) => it.account);
    const repaired: Account[] = [];
    for (const account of accounts) {
      repaired.push(await repairBalance(world, account, { entries, repair }));
    }
    await repairClaims(world, accounts, repair);
    yield repaired;
  }
}

interface What {
  readonly entries: Entries;
  readonly repair: Repair;
}

async function repairBalance(
  world: Needs,
  account: Account,
  { entries, repair }: What,
): Promise<Account> {
  const last = entries.lastOf(account.id);
  if (account.mode === 'limited' && account.seq > last) repair.lost(aheadOf(account, last));
  const after = rollForward(account, entries.beyond(account.id));
  if (last > after.seq) {
    const detail = `the journal has entry ${last}, which does not follow from ${after.seq}`;
    repair.lost({ id: account.id, detail });
  }
  if (after.seq === account.seq) return account;
  // What was posted counts, whatever the account has become since.
  const writes = [saveMovement(account, after, { inAnyStatus: true })];
  const what = 'balance behind its entries';
  await repairOne(world, repair, { what, id: account.id, writes });
  return after;
}

function aheadOf(account: Account, last: number) {
  const at = new Date(account.lastLegMs).toISOString();
  const missing =
    account.seq - last === 1 ? `entry ${account.seq}` : `entries ${last + 1} to ${account.seq}`;
  const detail = `its balance has moved by ${missing}, which the journal lacks: it is \
${balanceOf(account)} ${account.currency} with ${account.held} held, last moved at ${at}`;
  return { id: account.id, detail };
}

/** The account after these entries, up to the first that does not follow. */
function rollForward(account: Account, entries: readonly Entry[]): Account {
  let after = account;
  for (const { leg, sourceId, atMs, heldChange } of entries) {
    const movement = { amount: leg.amount, held: heldChange };
    const moved = moveAccount(after, movement, { sourceId, atMs });
    const isNext = leg.seq === moved.leg.seq && leg.hash === moved.leg.hash;
    if (!isNext || leg.balanceAfter !== moved.leg.balanceAfter) break;
    after = moved.account;
  }
  return after;
}

/** An external id that finds no account finds the one whose details name it. */
async function repairClaims(
  world: Needs,
  accounts: readonly Account[],
  repair: Repair,
): Promise<void> {
  if (accounts.length === 0) return;
  const details = await world.db.getAll(
    accounts.map(({ tenantId, id }) => ({ table: 'ledger', ...accountKey(tenantId, id), sk: 'M' })),
  );
  for (const [index, { tenantId, id }] of accounts.entries()) {
    const item = details[index];
    const { externalId } = (item && readable(() => toDetails(item))) ?? {};
    if (externalId === undefined) continue;
    const key = externalIdKey(tenantId, externalId);
    if (await world.db.get('ledger', key)) continue;
    const claim: Write = {
      kind: 'put',
      table: 'ledger',
      condition: 'attribute_not_exists(pk)',
      item: { ...key, v: 1, account: id },
    };
    await repairOne(world, repair, { what: 'claim of an external id', id, writes: [claim] });
  }
}
