import { createHash } from 'node:crypto';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const ID_LENGTH = 26;

/**
 * The same parts give the same id, always: a creation with an Idempotency-Key needs no lock.
 * Each part is hashed with its length, so that ('ab', 'c') and ('a', 'bc') differ.
 */
export function deriveId<Prefix extends string>(
  prefix: Prefix,
  ...parts: readonly string[]
): `${Prefix}_${string}` {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return `${prefix}_${base32(hash.digest())}`;
}

/** The 26 characters after the prefix. Two ids of one object share them under two prefixes. */
export function idPart(id: string): string {
  return id.slice(id.indexOf('_') + 1);
}

/** Characters of a ULID that tell its time, and of a place in a batch. */
const TIME_LENGTH = 10;
const PLACE_LENGTH = 2;

/**
 * The id at a place, from 0 to 1,023, of a batch that was made under this ULID: of the same time,
 * sorted by place, and no id that anybody makes otherwise. The batch can be named by one id.
 */
export function idInBatch<Prefix extends string>(
  batchId: `${Prefix}_${string}`,
  place: number,
): `${Prefix}_${string}` {
  const [prefix] = batchId.split('_', 1) as [Prefix];
  const time = idPart(batchId).slice(0, TIME_LENGTH);
  const tail = idPart(deriveId('batch', batchId)).slice(TIME_LENGTH, ID_LENGTH - PLACE_LENGTH);
  const digits = `${CROCKFORD[place >>> 5] ?? ''}${CROCKFORD[place & 31] ?? ''}`;
  return `${prefix}_${time}${tail}${digits}`;
}

/** A stable number in [0, count): which shard an id belongs to. */
export function shardOf(id: string, count: number): number {
  let sum = 0;
  // The tail is random in a ULID and in a derived id; the head of a ULID is the time.
  for (const char of id.slice(-8)) sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  return sum % count;
}

/** The first 128 bits in 26 characters of five bits, laid out as in a ULID. */
function base32(bytes: Uint8Array): string {
  let text = '';
  let buffer = 0;
  let bits = 2; // 26 × 5 = 130: a ULID begins with two zero bits.
  for (const byte of bytes.subarray(0, 16)) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += CROCKFORD[(buffer >>> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return text.slice(0, ID_LENGTH);
}
