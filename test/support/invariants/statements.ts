import type { Item } from '../../../functions/shared/world.ts';
import type { Snapshot } from './snapshot.ts';

interface StoredLeg {
  readonly acc: string;
  readonly ccy: string;
  readonly amount: unknown;
  readonly seq?: number;
  readonly bal?: unknown;
  readonly avail?: unknown;
}

/**
 * L3, its second half: the statements equal the journal. Each leg of what was posted, held or let
 * go is one line that says the same, there are no other lines, and the total of a shard is the sum
 * of its lines. Answers one sentence per violation.
 */
export function checkStatements({
  ledger,
  statements,
}: Pick<Snapshot, 'ledger' | 'statements'>): string[] {
  const lines = statements.filter((it) => it.sk !== 'TOTAL');
  const stored = new Map(lines.map((it) => [placeOf(it), it]));
  const expected = ledger.flatMap(legsOf);
  const places = new Set(expected.map((it) => it.place));
  return [
    ...expected.flatMap(({ place, leg }) => checkLine(place, leg, stored.get(place))),
    ...[...stored.keys()].filter((it) => !places.has(it)).map((it) => `L3 nothing made ${it}`),
    ...checkTotals(lines, statements),
  ];
}

/** Which shard a line is in does not matter; that it is there does. */
function placeOf({ pk, sk }: Item): string {
  const [tenant, account] = String(pk).split('#');
  return `${tenant} ${account} ${sk}`;
}

/** Where the line of each leg of a record must be. A hold, and a release, has one leg. */
function legsOf(item: Item): { place: string; leg: StoredLeg }[] {
  const legs = (item.legs ?? (item.leg ? [item.leg] : [])) as readonly StoredLeg[];
  return legs.map((leg) => {
    const account = leg.acc === '@world' ? `@world:${leg.ccy}` : leg.acc;
    const end = leg.seq === undefined ? item.id : String(leg.seq).padStart(16, '0');
    return { place: `${item.tenant} ${account} ${item.ts}#${end}`, leg };
  });
}

function checkLine(place: string, leg: StoredLeg, line: Item | undefined): string[] {
  if (!line) return [`L3 the statement has no line ${place}`];
  const told = [line.amount, line.bal, line.avail].join();
  const posted = [leg.amount, leg.bal, leg.avail].join();
  return told === posted ? [] : [`L3 the line ${place} says ${told} instead of ${posted}`];
}

function checkTotals(lines: readonly Item[], statements: readonly Item[]): string[] {
  const shards = Map.groupBy(
    lines.filter((it) => it.bal === undefined),
    (it) => String(it.pk),
  );
  const totals = new Map(
    statements.filter((it) => it.sk === 'TOTAL').map((it) => [String(it.pk), it]),
  );
  return [...new Set([...shards.keys(), ...totals.keys()])].flatMap((pk) => {
    const shard = shards.get(pk) ?? [];
    const sum = shard.reduce((total, it) => total + BigInt(String(it.amount)), 0n);
    const total = totals.get(pk);
    const isRight = String(total?.sum) === String(sum) && total?.lines === shard.length;
    return isRight ? [] : [`L3 the total of ${pk} is ${total?.sum} instead of ${sum}`];
  });
}
