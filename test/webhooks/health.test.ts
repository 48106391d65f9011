import { describe, expect, it } from 'vitest';
import type { Attempt } from '../../functions/webhooks/attempt.ts';
import { LAPSED } from '../../functions/webhooks/delivery.ts';
import {
  breakerOf,
  HEALTHY,
  type Health,
  isAiling,
  probeWaitMs,
  shouldOpen,
  troubleOf,
  verdictOf,
} from '../../functions/webhooks/health.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 86_400_000;

const attempt = (fields: Partial<Attempt>): Attempt => ({
  outcome: 'failed',
  ms: 5,
  throttled: false,
  disable: false,
  ...fields,
});

const health = (fields: Partial<Health>): Health => ({ ...HEALTHY, ...fields });

describe('what an attempt says about its endpoint', () => {
  it.each([
    { what: 'a success', fields: { outcome: 'delivered', status: 200 }, verdict: 'good' },
    { what: 'a 500', fields: { status: 500 }, verdict: 'bad' },
    { what: 'a 410', fields: { status: 410, disable: true }, verdict: 'bad' },
    { what: 'a refused connection', fields: { error: 'refused' }, verdict: 'bad' },
    { what: 'a timeout', fields: { outcome: 'unknown', error: 'timeout' }, verdict: 'bad' },
    { what: 'a 429', fields: { status: 429, throttled: true }, verdict: 'none' },
    { what: 'nothing sent', fields: { outcome: 'abandoned' }, verdict: 'none' },
    { what: 'a dead worker', fields: LAPSED, verdict: 'none' },
  ] as const)('$what is $verdict', ({ fields, verdict }) => {
    expect(verdictOf(attempt(fields))).toBe(verdict);
  });
});

describe('the breaker', () => {
  it.each([
    { streak: 10, forMs: 30_000, opens: true },
    { streak: 9, forMs: 300_000, opens: false },
    { streak: 900, forMs: 29_999, opens: false },
    { streak: 900, forMs: 900_000, opens: true },
  ])('after $streak failures over $forMs ms opens: $opens', ({ streak, forMs, opens }) => {
    const ill = health({ streak, firstFailureAtMs: NOW - forMs });
    expect(shouldOpen(ill, NOW)).toBe(opens);
    expect(shouldOpen({ ...ill, openedAtMs: NOW - 1 }, NOW)).toBe(false);
  });

  it('probes after 30 s, and then less and less often, down to once in 15 min', () => {
    const seconds = [0, 1, 2, 3, 4, 5, 6, 50].map((it) => probeWaitMs(it) / 1_000);
    expect(seconds).toEqual([30, 60, 120, 240, 480, 900, 900, 900]);
  });

  it.each([
    { fields: {}, is: 'closed' },
    { fields: { streak: 99 }, is: 'closed' },
    { fields: { openedAtMs: NOW - 1, probeAtMs: NOW + 1 }, is: 'open' },
    { fields: { openedAtMs: NOW - 1, probeAtMs: NOW }, is: 'half_open' },
    { fields: { openedAtMs: NOW - 99_999, probedAtMs: NOW - 29_999 }, is: 'half_open' },
    { fields: { openedAtMs: NOW - 99_999, probes: 1, probedAtMs: NOW - 30_000 }, is: 'open' },
    {
      fields: { openedAtMs: NOW - 1, probeAtMs: NOW + 30_000, idle: true as const },
      is: 'half_open',
    },
    { fields: { openedAtMs: NOW - 1, probes: 1, probeAtMs: NOW + 60_000 }, is: 'open' },
  ])('is $is with $fields', ({ fields, is }) => {
    expect(breakerOf(health(fields), NOW)).toBe(is);
  });

  it('leaves a success nothing to put right when nothing failed', () => {
    expect(isAiling(HEALTHY)).toBe(false);
    expect(isAiling(health({ streak: 1 }))).toBe(true);
    expect(isAiling(health({ openedAtMs: NOW }))).toBe(true);
  });
});

describe('an endpoint that fails for days', () => {
  it.each([
    { days: 0.99, saidDays: 0, trouble: { kind: 'none' } },
    { days: 1, saidDays: 0, trouble: { kind: 'tell', days: 1 } },
    { days: 2.9, saidDays: 1, trouble: { kind: 'none' } },
    { days: 3, saidDays: 1, trouble: { kind: 'tell', days: 3 } },
    { days: 3.5, saidDays: 0, trouble: { kind: 'tell', days: 3 } },
    { days: 4.99, saidDays: 3, trouble: { kind: 'none' } },
    { days: 5, saidDays: 3, trouble: { kind: 'give_up', days: 5 } },
  ])('for $days, told at $saidDays: $trouble', ({ days, saidDays, trouble }) => {
    const openedAtMs = NOW - days * DAY_MS;
    expect(troubleOf(health({ openedAtMs, probedAtMs: NOW, saidDays }))).toEqual(trouble);
  });

  it('is no trouble as long as nothing was sent', () => {
    expect(troubleOf(health({ openedAtMs: NOW - 9 * DAY_MS }))).toEqual({ kind: 'none' });
  });

  it('is no trouble while the breaker is closed', () => {
    expect(troubleOf(health({ streak: 99 }))).toEqual({ kind: 'none' });
  });
});
