import type { Item } from '../shared/world.ts';

/** What an account comes to after some of its entries. */
export interface Standpoint {
  readonly seq: number;
  readonly credits: bigint;
  readonly debits: bigint;
  readonly held: bigint;
  /** Of the entries so far; undefined before the first. */
  readonly currency?: string | undefined;
  /** Head of the hash chain. */
  readonly hash: string;
  /** Time of the last entry in milliseconds since 1970; 0 before the first. */
  readonly atMs: number;
  /** An entry was not as it should be, so that credits and debits are known by balances only. */
  readonly isBroken: boolean;
  /** The last entry could not be seen, so that the next one is taken as it is. */
  readonly isLost: boolean;
}

/** A limited account that is being folded from its entries, up to what it was at first sight. */
export interface AccountFold {
  readonly kind: 'limited';
  readonly accountId: string;
  /** The stored account at first sight. */
  readonly target: Item;
  readonly at: Standpoint;
  /** The line that was dealt with last. */
  readonly after?: string | undefined;
}

/** A derived account, or `@world` in a currency: its shards are summed up one after the other. */
export interface DerivedFold {
  readonly kind: 'derived';
  readonly accountId: string;
  readonly currency: string;
  readonly shard: number;
  /** Which attempt it is: lines that come in between spoil one. */
  readonly pass: number;
  /** The shard's total at the beginning of this attempt. */
  readonly first?: { readonly sum: bigint; readonly lines: number } | undefined;
  /** Of the lines so far. */
  readonly sum: bigint;
  readonly lines: number;
  readonly after?: string | undefined;
  /** The last line that an attempt before has looked at: what is wrong up to it was told then. */
  readonly toldTo?: string | undefined;
}

export type Fold = AccountFold | DerivedFold;

/** The beginning of every limited account. */
export const BEGINNING: Standpoint = {
  seq: 0,
  credits: 0n,
  debits: 0n,
  held: 0n,
  hash: '',
  atMs: 0,
  isBroken: false,
  isLost: false,
};

/** A limited account before its first entry. */
export function foldOfAccount(accountId: string, target: Item): AccountFold {
  return { kind: 'limited', accountId, target, at: BEGINNING };
}

/** The first attempt at a shard. */
export function foldOfShard(
  { accountId, currency }: Pick<DerivedFold, 'accountId' | 'currency'>,
  shard: number,
): DerivedFold {
  return { kind: 'derived', accountId, currency, shard, pass: 0, sum: 0n, lines: 0 };
}
