import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdSet } from '../../functions/files/id-set.ts';

it('takes each id once, however many there are', () => {
  const ids = new IdSet();
  const add = (i: number) => ids.add(Buffer.from(`user-${i}`));
  for (let i = 0; i < 20_000; i += 1) expect(add(i)).toBe(true);
  for (let i = 0; i < 20_000; i += 1) expect(add(i)).toBe(false);
  expect(ids.size).toBe(20_000);
});

it('agrees with a Set on any bytes', () => {
  const id = fc.uint8Array({ maxLength: 3, max: 2 });
  fc.assert(
    fc.property(fc.array(id, { maxLength: 100 }), (given) => {
      const ids = new IdSet();
      const known = new Set<string>();
      for (const bytes of given) {
        const text = Buffer.from(bytes).toString('hex');
        expect(ids.add(bytes)).toBe(!known.has(text));
        known.add(text);
      }
      expect(ids.size).toBe(known.size);
    }),
  );
});
