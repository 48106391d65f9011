import { randomBytes } from 'node:crypto';
import { decodeTime, encodeTime, monotonicFactory } from 'ulid';
import type { IdPrefix, Ids } from '../world.ts';
import { deriveId, idPart } from './derive.ts';

const BYTE_VALUES = 256;

/** Ids from the system's random source and the given clock. */
export function openIds(nowMs: () => number): Ids {
  const ulid = monotonicFactory(() => (randomBytes(1)[0] ?? 0) / BYTE_VALUES);
  return {
    next: <Prefix extends IdPrefix>(prefix: Prefix): `${Prefix}_${string}` =>
      `${prefix}_${ulid(nowMs())}`,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
    secretBytes: (length) => randomBytes(length),
  };
}

/** When an id that was not derived was made, in milliseconds since 1970. */
export function timeOfId(id: string): number {
  return decodeTime(idPart(id));
}

/** Sorts before every id of this or a later time, and behind all others. */
export function idFrom<Prefix extends IdPrefix>(prefix: Prefix, ms: number): string {
  // No id was made before 1970, but people ask for it.
  return `${prefix}_${encodeTime(Math.max(0, ms))}`;
}

/** Characters that tell the time. */
const TIME_LENGTH = 10;

/** As `deriveId`, with a time to be sorted by: the same parts and time give the same id. */
export function deriveIdAt<Prefix extends IdPrefix>(
  prefix: Prefix,
  ms: number,
  ...parts: readonly string[]
): `${Prefix}_${string}` {
  return `${prefix}_${encodeTime(ms)}${idPart(deriveId(prefix, ...parts)).slice(TIME_LENGTH)}`;
}
