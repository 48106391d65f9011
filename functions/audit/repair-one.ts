import type { World, Write } from '../shared/world.ts';

/** What follows from the journal and can be put right. */
export const MENDS = [
  'missing event',
  'end of a hold',
  'mark of a reversal',
  'claim of an external id',
  'balance behind its entries',
  'line of nothing',
  'missing line',
  'different line',
  'wrong total',
] as const;

/** One kind of them. */
export type Mend = (typeof MENDS)[number];

/** What is lost, or that only a person can judge. */
export interface Loss {
  readonly id: string;
  readonly detail: string;
}

/** How things of these kinds are put right, and who hears of it. */
export interface Mending<What> {
  readonly dryRun: boolean;
  /** Something was put right; in a dry run it would be. */
  mended(what: What, id: string, count?: number): void;
}

/** How a ledger is repaired, and who hears of it. */
export interface Repair extends Mending<Mend> {
  lost(loss: Loss): void;
}

type Needs = Pick<World, 'db'>;

/** One thing, and the writes that put it right. */
interface Fix<What> {
  readonly what: What;
  readonly id: string;
  readonly writes: readonly Write[];
}

/**
 * Commits what puts something right, and tells of it; false when a condition was in the way.
 * Mostly somebody else did it first then, which is as good, and nobody hears of it. Throws when it
 * was refused for any other reason.
 */
export async function repairOne<What extends string>(
  { db }: Needs,
  repair: Mending<What>,
  { what, id, writes }: Fix<What>,
): Promise<boolean> {
  if (!repair.dryRun) {
    const commit = await db.commit(writes);
    if (!commit.ok) {
      const codes = commit.reasons.map((it) => it.code);
      if (codes.includes('condition')) return false;
      throw new Error(`${what} of ${id} was refused for ${codes.join(', ')}: run it again`);
    }
  }
  repair.mended(what, id);
  return true;
}
