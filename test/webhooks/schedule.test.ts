import { describe, expect, it } from 'vitest';
import { ATTEMPTS_DEFAULT, LIFETIME_MS, stepMs } from '../../functions/webhooks/schedule.ts';

const plan = { maxAttempts: ATTEMPTS_DEFAULT };

describe('stepMs', () => {
  it.each([
    [1, 5],
    [2, 60],
    [3, 300],
    [4, 1_800],
    [5, 7_200],
    [6, 18_000],
    [7, 36_000],
    [8, 50_400],
    [9, 72_000],
    [10, 86_400],
    [11, 86_400],
    [30, 86_400],
  ])('after attempt %i the default waits %i seconds', (spent, seconds) => {
    expect(stepMs(plan, spent, 0.5)).toBe(seconds * 1_000);
  });

  it.each([
    [1, 2],
    [2, 7],
    [3, 7],
    [29, 7],
  ])('after attempt %i the plan [2, 7] waits %i seconds', (spent, seconds) => {
    expect(stepMs({ maxAttempts: 30, scheduleSeconds: [2, 7] }, spent, 0.5)).toBe(seconds * 1_000);
  });

  it.each([
    [1, 50],
    [2, 600],
    [10, 864_000],
  ])('after attempt %i the default of a test tenant waits %i ms', (spent, ms) => {
    expect(stepMs({ ...plan, isTest: true }, spent, 0.5)).toBe(ms);
  });

  it('waits as a test tenant itself has said', () => {
    const own = { maxAttempts: 3, scheduleSeconds: [7], isTest: true } as const;
    expect(stepMs(own, 1, 0.5)).toBe(7_000);
  });

  it.each([
    [0, 800],
    [0.5, 1_000],
    [0.999999, 1_200],
  ])('spreads a step of one second: random %d waits %i ms', (random, ms) => {
    expect(stepMs({ maxAttempts: 3, scheduleSeconds: [1] }, 1, random)).toBe(ms);
  });

  it('ends the default plan within the lifetime, however the steps spread', () => {
    const steps = Array.from({ length: ATTEMPTS_DEFAULT - 1 }, (_, i) => stepMs(plan, i + 1, 1));
    expect(steps.reduce((sum, ms) => sum + ms)).toBeLessThan(LIFETIME_MS);
  });
});
