/**
 * What a piece of work costs in DynamoDB: reads, and writes to tables and to their indexes, as
 * `costOf` tells it. The tests of the rooms assert these, and docs/cost.md prices them.
 */
export const UNITS = {
  transfer: '3 RRU, 8 + 2 WRU',
  credit: '2 RRU, 6 + 2 WRU',
  hold: '3 RRU, 6 + 2 WRU',
  capture: '4 RRU, 12 + 4 WRU',
  event: '0 RRU, 1 + 1 WRU',
  relayMark: '0 RRU, 1 + 0 WRU',
  linesOfTransfer: '0 RRU, 2 + 0 WRU',
  linesOfCredit: '0 RRU, 5 + 0 WRU',
  delivery: '0 RRU, 2 + 0 WRU',
  failedAttempt: '0 RRU, 4 + 2 WRU',
  retry: '2 RRU, 3 + 2 WRU',
  task: '0 RRU, 1 + 2 WRU',
  firedEvent: '1 RRU, 4 + 4 WRU',
  receipt: '0 RRU, 1 + 2 WRU',
  forwarding: '0 RRU, 5 + 4 WRU',
  quietMinute: '408 RRU, 9 + 0 WRU',
} as const;

/** The most that one alert of a file costs, in units. */
export const UNITS_OF_ALERT = {
  unlimited: { reads: 0.1, writes: 0.06 },
  fiftyASecond: { reads: 0.1, writes: 0.08 },
  fiftyOfItsOwn: { reads: 0.15, writes: 0.08 },
  fiftyBesideMore: { reads: 0.35, writes: 0.33 },
} as const;

/** Units of reading, and of writing tables and indexes together. */
export interface ReadsAndWrites {
  readonly reads: number;
  readonly writes: number;
}

/** The numbers in such a text. */
export function unitsIn(text: string): ReadsAndWrites {
  const [, reads, table, index] = /^([\d.]+) RRU, ([\d.]+) \+ ([\d.]+) WRU$/.exec(text) ?? [];
  if (reads === undefined) throw new Error(`"${text}" does not say units`);
  return { reads: Number(reads), writes: Number(table) + Number(index) };
}
