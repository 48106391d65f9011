import { expect, it } from 'vitest';
import { keyedFingerprint } from '../../functions/shared/keyed-fingerprint.ts';
import { readMasterKey } from '../../functions/shared/sealed.ts';

const [one, two] = ['a'.repeat(32), 'b'.repeat(32)];
const ring = (current: number, keys: object) => readMasterKey(JSON.stringify({ current, keys }));
const asked = { fingerprint: 'v1:of-a-request', context: 'ten_1#src_1' };

it('is stable under one key, and another under another key, context or request', () => {
  const made = keyedFingerprint(ring(1, { 1: one }), asked);
  expect(made).toMatch(/^k1:1:[\w-]{43}$/);
  expect(keyedFingerprint(ring(1, { 1: one }), asked)).toBe(made);
  const others = [
    keyedFingerprint(ring(1, { 1: two }), asked),
    keyedFingerprint(ring(1, { 1: one }), { ...asked, context: 'ten_1#src_2' }),
    keyedFingerprint(ring(1, { 1: one }), { ...asked, fingerprint: 'v1:of-another' }),
  ];
  expect(new Set([made, ...others]).size).toBe(4);
});

it('is made like the stored one, whatever the current version is', () => {
  const made = keyedFingerprint(ring(1, { 1: one }), asked);
  const rotated = ring(2, { 1: one, 2: two });
  expect(keyedFingerprint(rotated, asked)).toMatch(/^k1:2:/);
  expect(keyedFingerprint(rotated, asked, made)).toBe(made);
  expect(keyedFingerprint(rotated, asked, 'v1:of-a-request')).toBe('v1:of-a-request');
  expect(keyedFingerprint(ring(2, { 2: two }), asked, made)).not.toBe(made);
});
