import { expect, it } from 'vitest';
import { rateHeaders, retryAfterSeconds } from '../../../functions/shared/http/rate-headers.ts';

it.each([
  [{ perSecond: 100, remaining: 50, waitMs: 0 }, '"default";r=50;t=1'],
  [{ perSecond: 100, remaining: 199, waitMs: 0 }, '"default";r=100;t=1'],
  [{ perSecond: 100, remaining: 0, waitMs: 2_001 }, '"default";r=0;t=3'],
])('%j is told as %s', (state, told) => {
  expect(rateHeaders(state)).toEqual({
    'ratelimit-policy': '"default";q=100;w=1',
    ratelimit: told,
  });
});

it.each([
  [0, 0, 1],
  [1, 0.999, 2],
  [1_001, 0, 2],
  [60_000, 0, 60],
  [60_000, 0.999, 90],
])('after %i ms with the chance %d one may come back in %i s', (waitMs, random, seconds) => {
  expect(retryAfterSeconds(waitMs, random)).toBe(seconds);
});
