import { afterEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { OPTIONS, readOptions } from '../../functions/shared/config.ts';
import { readConfig } from '../../functions/shared/environment.ts';

describe('readOptions', () => {
  it('gives the defaults when nothing is said', () => {
    expect(readOptions({})).toEqual({
      stage: 'dev',
      egress: 'public',
      apiHosts: '',
      restoreFrom: '',
      logLevel: 'info',
      logRetentionDays: 30,
      lambdaConcurrency: 1_000,
      workerShare: 0.6,
      inboxMaxBacklog: 1_000,
      inboxMaxAttempts: 5,
      inboxRetryBaseSeconds: 5,
      inboxRetryMaxSeconds: 300,
      reconcileAfterSeconds: 120,
      recheckAfterSeconds: 1_200,
    });
  });

  // Both sides of each limit.
  it.each([
    { name: 'stage', good: ['a', 'prod', 'a234567890123456'], bad: ['', 'Prod', 'a-b', '1a'] },
    { name: 'stage', good: [], bad: ['a2345678901234567', 7] },
    { name: 'egress', good: ['public', 'loopback'], bad: ['private', true] },
    { name: 'apiHosts', good: ['', 'a.test', 'a.test,b-1.test'], bad: ['A.test', 'a,', 'a:1'] },
    {
      name: 'restoreFrom',
      good: ['', 'Tallyhook-r1@2026-11-21T10:00:00.123'],
      bad: ['Tallyhook-r1', 'a@2026-11-21T10:00:00.123', 'Tallyhook-r1@latest', 'a b c@', 1],
    },
    { name: 'logLevel', good: ['info', 'warn', 'error'], bad: ['debug', 'INFO'] },
    { name: 'logRetentionDays', good: [1, '30', 3653], bad: [0, 2, '31', 'ever'] },
    { name: 'lambdaConcurrency', good: [40, '100000'], bad: [39, 100_001, 24.5, 'many'] },
    { name: 'inboxMaxBacklog', good: [1, 1_000_000], bad: [0, 1_000_001, 1.5] },
    { name: 'inboxMaxAttempts', good: [1, 20], bad: [0, 21, 1.5] },
    { name: 'inboxRetryBaseSeconds', good: [0.1, 600], bad: [0, 601] },
    { name: 'inboxRetryMaxSeconds', good: [1, 840], bad: [0.5, 841] },
    { name: 'workerShare', good: [0.1, '0.9'], bad: [0.09, 0.91, 'half'] },
    { name: 'reconcileAfterSeconds', good: [1, '180'], bad: [0, 181] },
    { name: 'recheckAfterSeconds', good: [2, '86400'], bad: [1, 86_401] },
  ])('knows the range of $name', ({ name, good, bad }) => {
    for (const value of good) expect(() => readOptions({ [name]: value })).not.toThrow();
    for (const value of bad) expect(() => readOptions({ [name]: value })).toThrow(name);
  });

  it('names every unknown option', () => {
    expect(() => readOptions({ stages: 'dev', egres: 'public' })).toThrow(/"stages", "egres"/);
  });

  it('says what each option means', () => {
    for (const [name, option] of Object.entries(OPTIONS.shape)) {
      expect(option.description, name).toMatch(/\.$/);
    }
  });
});

describe('readConfig', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('reads variables of the environment', () => {
    vi.stubEnv('TALLYHOOK_TEST_NAME', 'ledger-1');
    expect(readConfig({ TALLYHOOK_TEST_NAME: z.string() })).toEqual({
      TALLYHOOK_TEST_NAME: 'ledger-1',
    });
  });

  it('names what is missing or wrong, and never shows a value', () => {
    vi.stubEnv('TALLYHOOK_TEST_SECRET', 'hush');
    const read = () =>
      readConfig({ TALLYHOOK_TEST_SECRET: z.enum(['a', 'b']), TALLYHOOK_TEST_GONE: z.string() });

    expect(read).toThrow(/TALLYHOOK_TEST_SECRET[\s\S]*TALLYHOOK_TEST_GONE/);
    expect(read).not.toThrow(/hush/);
  });
});
