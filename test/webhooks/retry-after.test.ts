import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../functions/webhooks/retry-after.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const HOUR_MS = 3_600_000;

describe('retryAfterMs', () => {
  it.each([
    { value: '1', ms: 1_000 },
    { value: ' 120 ', ms: 120_000 },
    { value: '0', ms: 1_000 },
    { value: '86400', ms: 24 * HOUR_MS },
    { value: '86401', ms: 24 * HOUR_MS },
    { value: '9'.repeat(400), ms: 24 * HOUR_MS },
    { value: 'Sat, 21 Nov 2026 12:00:30 GMT', ms: 30_000 },
    { value: 'Sat, 21 Nov 2026 11:00:00 GMT', ms: 1_000 },
    { value: 'Sat, 21 Nov 2099 12:00:00 GMT', ms: 24 * HOUR_MS },
    { value: 'Saturday, 21-Nov-26 12:00:30 GMT', ms: 30_000 },
    { value: 'Sunday, 06-Nov-94 08:49:37 GMT', ms: 1_000 },
    { value: 'Sat Nov 21 12:00:30 2026', ms: 30_000 },
    { value: 'Sun Nov  6 08:49:37 1994', ms: 1_000 },
  ])('waits $ms ms for $value', ({ value, ms }) => {
    expect(retryAfterMs(value, NOW)).toBe(ms);
  });

  it.each([
    undefined,
    '',
    '-5',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    'soon',
    '2026-11-21T12:00:30Z',
    'Sat, 99 Nov 2026 12:00:30 GMT',
    'Sat, 21 Nov 2026 12:00:30 CET',
    'Saturday, 21-Nov-26 12:00:30 CET',
    'Sat Nov 21 12:00:30 2026 CET',
    'Sat Nov 21 2026 12:00:30',
    '5; 6',
  ])('heeds no header that says %s', (value) => {
    expect(retryAfterMs(value, NOW)).toBeUndefined();
  });
});
