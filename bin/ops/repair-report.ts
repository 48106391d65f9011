import type { Loss } from '../../functions/audit/repair-one.ts';
import type { Desk, Outcome } from './command.ts';
import { inColumns } from './rows.ts';

/** What a repair tells the person who called it. */
export interface RepairReport {
  readonly dryRun: boolean;
  mended(what: string, id: string, count?: number): void;
  /** Printed at once, and each once: the only witness of a loss may be taken away next. */
  lost(loss: Loss): void;
  /** The sum of it all, at the end. */
  end(): Outcome;
}

/** Counts what was put right, and tells each loss before anything else happens. */
export function openReport(dryRun: boolean, { print }: Pick<Desk, 'print'>): RepairReport {
  const mends = new Map<string, number>();
  const losses = new Set<string>();
  return {
    dryRun,
    mended: (what, _id, count = 1) => {
      mends.set(what, (mends.get(what) ?? 0) + count);
    },
    lost: ({ id, detail }) => {
      const loss = `${id}: ${detail}`;
      if (losses.has(loss)) return;
      losses.add(loss);
      print(`lost: ${loss}`);
    },
    end: () => {
      const rows = [...mends].map(([what, count]) => [String(count), what]);
      const verb = dryRun ? 'would be put right' : 'put right';
      print(rows.length === 0 ? `${verb}: nothing` : `${verb}:`);
      for (const line of inColumns(rows)) print(`  ${line}`);
      if (losses.size === 0) print('lost: nothing');
      else print(`lost, or for a person to judge: ${losses.size}, each named above`);
      return losses.size === 0 ? 'done' : 'person';
    },
  };
}
