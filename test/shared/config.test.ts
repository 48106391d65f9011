import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { OPTIONS, readConfig, readOptions } from '../../functions/shared/config.ts';

describe('readOptions', () => {
  it('gives the defaults when nothing is said', () => {
    expect(readOptions({})).toEqual({
      stage: 'dev',
      egress: 'public',
      apiHosts: '',
      logLevel: 'info',
      logRetentionDays: 30,
      lambdaConcurrency: 1_000,
      workerShare: 0.6,
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
    { name: 'logLevel', good: ['info', 'warn', 'error'], bad: ['debug', 'INFO'] },
    { name: 'logRetentionDays', good: [1, '30', 3653], bad: [0, 2, '31', 'ever'] },
    { name: 'lambdaConcurrency', good: [30, '100000'], bad: [29, 100_001, 24.5, 'many'] },
    { name: 'workerShare', good: [0.1, '0.9'], bad: [0.09, 0.91, 'half'] },
    { name: 'reconcileAfterSeconds', good: [1, '3600'], bad: [0, 3_601] },
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
  it('reads variables of the environment', () => {
    process.env.TALLYHOOK_TEST_NAME = 'ledger-1';
    expect(readConfig({ TALLYHOOK_TEST_NAME: z.string() })).toEqual({
      TALLYHOOK_TEST_NAME: 'ledger-1',
    });
  });

  it('names what is missing or wrong, and never shows a value', () => {
    process.env.TALLYHOOK_TEST_SECRET = 'hush';
    const read = () =>
      readConfig({ TALLYHOOK_TEST_SECRET: z.enum(['a', 'b']), TALLYHOOK_TEST_GONE: z.string() });

    expect(read).toThrow(/TALLYHOOK_TEST_SECRET[\s\S]*TALLYHOOK_TEST_GONE/);
    expect(read).not.toThrow(/hush/);
  });
});
