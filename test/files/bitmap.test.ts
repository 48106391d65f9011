import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  countBits,
  emptyBitmap,
  hasBit,
  withBits,
  withoutBits,
} from '../../functions/files/bitmap.ts';

const LENGTH = 1_000;
const places = fc.array(fc.nat(LENGTH - 1), { maxLength: 50 });

it('has the bits that were set and not taken back, like a Set of places', () => {
  fc.assert(
    fc.property(places, places, (set, taken) => {
      const bitmap = withoutBits(withBits(emptyBitmap(LENGTH), set), taken);
      const wanted = new Set(set.filter((it) => !taken.includes(it)));
      const found = Array.from({ length: LENGTH }, (_, i) => i).filter((i) => hasBit(bitmap, i));
      expect(new Set(found)).toEqual(wanted);
      expect(countBits(bitmap)).toBe(wanted.size);
    }),
  );
});

it('takes one byte for eight users', () => {
  expect([1, 8, 9, 1_000].map((users) => emptyBitmap(users).length)).toEqual([1, 1, 2, 125]);
});

it('leaves the bitmap that it was made from alone', () => {
  const before = withBits(emptyBitmap(8), [3]);
  withBits(before, [4]);
  withoutBits(before, [3]);
  expect([hasBit(before, 3), hasBit(before, 4), hasBit(before, 99)]).toEqual([true, false, false]);
});
