import { accountKey, listingOf, toAccount } from '../ledger/account.store.ts';
import { WORLD } from '../ledger/account.ts';
import { readable } from '../shared/form.ts';
import { sortableMs } from '../shared/sortable.ts';
import type { Db, Item, World } from '../shared/world.ts';
import type { FoldAdvance } from './account-walk.ts';
import {
  type Advance,
  type Audit,
  type Finding,
  type Gain,
  type Look,
  nextPart,
  type Position,
} from './audit.ts';
import { checkAccount } from './check-account.ts';
import { checkDerived } from './check-derived.ts';
import { checkNames } from './check-names.ts';
import { type Fold, foldOfAccount, foldOfShard } from './fold.ts';
import { loadListed } from './journal-record.store.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** So many accounts are in the works at once; where each of them is lies in the audit's item. */
const FOLDS_MAX = 10;
/** They lie in the audit's item. Of a tenant with more assets, the rest of `@world` is left out. */
const CURRENCIES_MAX = 2_000;
/** Lines of one account at a time: as many as one call reads records. */
const LINES_MAX = 100;

/** The next lines of the accounts in the works, or the next accounts. */
export async function checkAccounts(world: Needs, look: Look): Promise<Advance> {
  const { audit, position } = look;
  if (position.folds.length > 0) return goOn(world, look);
  const page = await world.db.query({
    table: 'ledger',
    index: 'listing',
    pk: listingOf(audit.tenantId),
    sk: { from: '0', to: `${sortableMs(audit.createdAtMs)}~` },
    limit: FOLDS_MAX,
    ...(position.after && { after: position.after }),
  });
  if (page.items.length === 0 && !page.next) {
    return { gain: NOTHING, rows: 1, position: nextPart(position, 1) };
  }
  const opened = await openFolds(world.db, audit.tenantId, page.items);
  const last = page.next ?? page.items.at(-1);
  const all = [...new Set([...position.currencies, ...opened.currencies])];
  const currencies = all.slice(0, CURRENCIES_MAX);
  const gain = { ...opened.gain, undecided: all.length - currencies.length };
  const after = last ? placeOf(last) : position.after;
  const next = { ...position, after, folds: opened.folds, currencies, waits: 0 };
  return { gain, rows: Math.max(1, page.items.length), position: next };
}

/** `@world` in each currency that an account has, one after the other. */
export async function checkWorld(world: Needs, look: Look): Promise<Advance> {
  const { position } = look;
  if (position.folds.length > 0) {
    const advance = await goOn(world, look);
    const isLeft = (advance.position?.folds.length ?? 0) > 0;
    const count = position.currencies.length;
    if (isLeft || !advance.position) return advance;
    return { ...advance, position: nextPart(advance.position, count) };
  }
  const currency = position.currencies[position.part];
  if (currency === undefined) return { gain: NOTHING, rows: 1, position: nextPart(position, 1) };
  const folds = [foldOfShard({ accountId: WORLD, currency }, 0)];
  return { gain: NOTHING, rows: 1, position: { ...position, folds, waits: 0 } };
}

const NOTHING: Gain = { checked: {}, findings: [] };

/** Where an index goes on behind an entry. */
export function placeOf({ pk, sk, listingPk, listingSk }: Item): NonNullable<Position['after']> {
  const place = { pk, sk, listingPk, listingSk };
  return Object.fromEntries(Object.entries(place).map(([name, it]) => [name, String(it)]));
}

interface Opened {
  readonly folds: readonly Fold[];
  readonly currencies: readonly string[];
  readonly gain: Gain;
}

async function openFolds(
  db: Pick<Db, 'getAll'>,
  tenantId: string,
  keys: readonly Item[],
): Promise<Opened> {
  const folds: Fold[] = [];
  const findings: Finding[] = [];
  const currencies: string[] = [];
  const ids: string[] = [];
  for (const item of await loadListed(db, keys)) {
    const account = item && readable(() => toAccount(item));
    if (!item) continue;
    if (!account) {
      findings.push({ invariant: 'L3', id: String(item.id), detail: 'it cannot be read' });
      continue;
    }
    if (item.pk !== accountKey(tenantId, account.id).pk || account.tenantId !== tenantId) {
      const detail = 'it does not lie where its tenant and id say';
      findings.push({ invariant: 'L3', id: account.id, detail });
      continue;
    }
    ids.push(account.id);
    const { id: accountId, currency, seq, credits, debits, held } = account;
    currencies.push(currency);
    if (account.mode === 'limited') folds.push(foldOfAccount(accountId, bare(item)));
    else folds.push(foldOfShard({ accountId, currency }, 0));
    const isEmpty = [BigInt(seq), credits, debits, held].every((it) => it === 0n);
    if (account.mode === 'derived' && !isEmpty) {
      const detail = 'it is derived, and a balance is stored';
      findings.push({ invariant: 'L3', id: accountId, detail });
    }
  }
  findings.push(...(await checkNames(db, tenantId, ids)));
  return { folds, currencies, gain: { checked: {}, findings } };
}

/** The account without the keys of its indexes. */
function bare({ listingPk: _pk, listingSk: _sk, ...item }: Item): Item {
  return item;
}

async function goOn(world: Needs, { audit, position, rowsMax }: Look): Promise<Advance> {
  const { folds } = position;
  const limit = Math.max(1, Math.min(LINES_MAX, Math.floor(rowsMax / folds.length)));
  const advances = await Promise.all(folds.map((fold) => goOnWith(world, audit, { fold, limit })));
  const left = advances.flatMap(({ fold }) => (fold ? [fold] : []));
  const isWaiting = advances.every((it) => it.isWaiting === true);
  return {
    gain: {
      checked: sumOf(advances),
      findings: advances.flatMap((it) => it.gain.findings),
      undecided: advances.reduce((sum, it) => sum + (it.gain.undecided ?? 0), 0),
    },
    rows: advances.reduce((sum, it) => sum + it.rows, 0),
    position: { ...position, folds: left, waits: isWaiting ? position.waits : 0 },
    isWaiting,
  };
}

function goOnWith(
  world: Needs,
  audit: Audit,
  { fold, limit }: { readonly fold: Fold; readonly limit: number },
): Promise<FoldAdvance> {
  if (fold.kind === 'limited') return checkAccount(world, audit, { fold, limit });
  return checkDerived(world, audit, { fold, limit });
}

function sumOf(advances: readonly FoldAdvance[]) {
  const sum = (name: 'accounts' | 'entries') =>
    advances.reduce((total, it) => total + (it.gain.checked[name] ?? 0), 0);
  return { accounts: sum('accounts'), entries: sum('entries') };
}
