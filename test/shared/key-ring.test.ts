import { describe, expect, it } from 'vitest';
import { atRest, readKeyRing, withCurrent, withNewKey } from '../../functions/shared/key-ring.ts';

const keys = { 1: 'secret-one', 2: 'secret-two' };

describe('readKeyRing', () => {
  it('takes a plain key as version 1', () => {
    expect(readKeyRing('secret-one')).toEqual({ current: 1, keys: { 1: 'secret-one' } });
  });

  it.each([
    { current: 3, keys },
    { current: 1, keys, rotation: { phase: 'added', to: 3, atMs: 0 } },
    { current: 1, keys, rotation: { phase: 'gone', to: 2, atMs: 0 } },
    { current: 1, keys, rotation: { phase: 'added', to: 2 } },
    { current: 1 },
    { current: 0, keys: { 0: 'secret-one' } },
    { current: 1, keys: { 1: 'secret-one', x: 'secret-two' } },
  ])('refuses %j, and repeats none of it', (ring) => {
    expect(() => readKeyRing(JSON.stringify(ring))).toThrow(/^(?!.*secret)/);
  });
});

it('goes from rest to rest by two phases', () => {
  const before = { current: 2, keys };
  const added = withNewKey(before, 'secret-three', 10);
  expect(added).toEqual({
    current: 2,
    keys: { ...keys, 3: 'secret-three' },
    rotation: { phase: 'added', to: 3, atMs: 10 },
  });
  const current = withCurrent(added, 3, 20);
  expect(current.rotation).toEqual({ phase: 'current', to: 3, atMs: 20 });
  for (const ring of [before, added, current]) {
    expect(readKeyRing(JSON.stringify(ring))).toEqual(ring);
  }
  expect(atRest(current)).toEqual({ current: 3, keys: added.keys });
});
