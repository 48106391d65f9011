import * as z from 'zod';
import type { Item } from '../shared/world.ts';
import { StoredMinor } from './account.store.ts';
import type { Leg } from './account.ts';

/** A leg as it lies in a transaction, a hold or a release. */
export const LegItem = z.object({
  acc: z.string(),
  ccy: z.string(),
  amount: StoredMinor,
  seq: z.int().optional(),
  bal: StoredMinor.optional(),
  held: StoredMinor.optional(),
  avail: StoredMinor.optional(),
  hash: z.string().optional(),
});

/** The stored form of a leg. */
export function toLegItem(leg: Leg): Item {
  return {
    acc: leg.accountId,
    ccy: leg.currency,
    amount: leg.amount,
    seq: leg.seq,
    bal: leg.balanceAfter,
    held: leg.heldAfter,
    avail: leg.availableAfter,
    hash: leg.hash,
  };
}

/** The leg in its stored form. */
export function toLeg(stored: z.output<typeof LegItem>): Leg {
  return {
    accountId: stored.acc,
    currency: stored.ccy,
    amount: stored.amount,
    seq: stored.seq,
    balanceAfter: stored.bal,
    heldAfter: stored.held,
    availableAfter: stored.avail,
    hash: stored.hash,
  };
}
