import { describe, expect, it } from 'vitest';
import {
  type AlertFile,
  claimReading,
  expireFile,
  failFile,
  finishReading,
  mayRead,
  NO_OUTCOMES,
  newFile,
  READING_LEASE_MS,
  renewReading,
  UPLOAD_LATE_MS,
  UPLOAD_MS,
  withOutcomes,
} from '../../functions/files/file.ts';
import { nextLookMs, uploadEndsMs } from '../../functions/files/file-looks.ts';
import { TERMS_DEFAULT } from '../../functions/files/file-terms.ts';
import { HOUR_MS, MINUTE_MS } from '../../functions/shared/units.ts';

/** Age of a file that nobody uploads, when it is given up. */
const ENDS = UPLOAD_MS + UPLOAD_LATE_MS;
const NOW = 1_800_000_000_000;
const waiting = newFile(
  {
    id: 'fil_1',
    tenantId: 'ten_1',
    name: 'users.csv',
    bytes: 10,
    endpointId: 'end_1',
    ...TERMS_DEFAULT,
    onMalformed: 'skip',
    onUnknown: 'resend',
    fingerprint: undefined,
  },
  NOW,
);
const parsing = claimReading(waiting, 'v1', NOW);
const counts = { rows: 12, alerts: 10, duplicates: 1, malformed: 1 };
const ready = (perSecond?: number) => finishReading(parsing, { counts, blocks: 1, perSecond }, NOW);

describe('a parser', () => {
  it.each<[string, AlertFile, number, boolean]>([
    ['waits for its upload', waiting, NOW, true],
    ['is being read', parsing, NOW, false],
    ['was being read until its lease ended', parsing, NOW + READING_LEASE_MS, false],
    ['was being read by a dead parser', parsing, NOW + READING_LEASE_MS + 1, true],
    ['is being delivered', ready(), NOW + HOUR_MS, false],
    ['failed', failFile(parsing, { code: 'not_text', detail: '' }), NOW + HOUR_MS, false],
    ['expired', expireFile(waiting), NOW + HOUR_MS, false],
  ])('meets a file that %s', (_state, file, nowMs, may) => {
    expect(mayRead(file, nowMs)).toBe(may);
  });

  it('crashes when it claims what another one has', () => {
    expect(() => claimReading(parsing, undefined, NOW)).toThrow('only one parser at a time');
  });

  it('keeps its file by renewing the lease, and `due` moves with it', () => {
    const renewed = renewReading(parsing, NOW + 30_000);
    expect(renewed).toMatchObject({ leaseMs: NOW + 90_000, dueMs: NOW + 90_000, readings: 1 });
    expect(renewed.version).toBe(parsing.version + 1);
  });
});

describe('a file', () => {
  it('is ready with all its users pending', () => {
    expect(ready()).toMatchObject({ ...counts, state: 'delivering', pending: 10, readyAtMs: NOW });
    expect(ready().leaseMs).toBeUndefined();
  });

  it('without users is at its end', () => {
    const empty = { counts: { ...counts, alerts: 0 }, blocks: 0, perSecond: undefined };
    const done = finishReading(parsing, empty, NOW);
    expect(done).toMatchObject({ state: 'completed', completedAtMs: NOW });
    expect(done.dueMs).toBeUndefined();
  });

  it.each([
    [undefined, 8],
    [0.5, 1],
    [16, 1],
    [17, 2],
    [50, 3],
    [533, 32],
    [5_000, 32],
  ])('has for %s webhooks a second %d blocks under way', (perSecond, window) => {
    expect(ready(perSecond).window).toBe(window);
  });

  it('is completed with its last outcome, and not before', () => {
    const almost = withOutcomes(ready(), { ...NO_OUTCOMES, delivered: 8, failed: 1 }, NOW);
    expect(almost).toMatchObject({ state: 'delivering', delivered: 8, failed: 1, pending: 1 });
    const done = withOutcomes(almost, { ...NO_OUTCOMES, uncertain: 1 }, NOW + 5);
    expect(done).toMatchObject({ state: 'completed', pending: 0, completedAtMs: NOW + 5 });
    expect(done.dueMs).toBeUndefined();
  });

  it('stays completed when a failure becomes a success', () => {
    const done = withOutcomes(ready(), { ...NO_OUTCOMES, failed: 10 }, NOW);
    const change = { ...NO_OUTCOMES, failed: -1, delivered: 1 };
    const later = withOutcomes(done, change, NOW + 9);
    expect(later).toMatchObject({ failed: 9, delivered: 1, completedAtMs: NOW });
  });

  it('crashes on more outcomes than users', () => {
    const change = { ...NO_OUTCOMES, delivered: 11 };
    expect(() => withOutcomes(ready(), change, NOW)).toThrow('more outcomes than users');
  });
});

describe('the next look', () => {
  const settling = { ...ready(), floor: 1 };
  it.each<[string, AlertFile, number, number]>([
    ['at a file without an upload comes soon', waiting, 0, 2 * MINUTE_MS],
    ['comes less often when the form has ended', waiting, UPLOAD_MS, UPLOAD_MS + 20 * MINUTE_MS],
    ['is the end of the wait when that is near', waiting, ENDS - MINUTE_MS, ENDS],
    ['goes on when an upload came at the last moment', waiting, ENDS, ENDS + 2 * MINUTE_MS],
    ['at blocks comes each minute', ready(), HOUR_MS, HOUR_MS + MINUTE_MS],
    ['at young retries comes each minute', settling, MINUTE_MS, 2 * MINUTE_MS],
    ['comes at a whole millisecond', settling, HOUR_MS + 3, 1.25 * HOUR_MS + 3],
    ['at older retries comes more rarely', settling, 4 * HOUR_MS, 5 * HOUR_MS],
    ['at the oldest retries comes four times a day', settling, 90 * HOUR_MS, 96 * HOUR_MS],
  ])('%s', (_what, file, ageMs, lookMs) => {
    expect(nextLookMs(file, NOW + ageMs) - NOW).toBe(lookMs);
  });

  it('never comes for a file at its end', () => {
    expect(expireFile(waiting).dueMs).toBeUndefined();
    expect(failFile(parsing, { code: 'not_text', detail: '' }).dueMs).toBeUndefined();
    expect(uploadEndsMs(waiting)).toBe(NOW + UPLOAD_MS);
  });
});

describe('a share of malformed rows', () => {
  /** The state of a file of which so many rows are malformed. */
  function stateWith(malformed: number, rows: number, maxMalformedShare: number): string {
    const asking = { ...parsing, onMalformed: 'ask', maxMalformedShare } as const;
    const read = { rows, alerts: rows - malformed, duplicates: 0, malformed };
    return finishReading(asking, { counts: read, blocks: 1, perSecond: undefined }, NOW).state;
  }

  it('asks above the limit and not at it, for each share in percent', () => {
    for (const rows of [100, 1_000, 20_000_000]) {
      for (let percent = 0; percent < 100; percent += 1) {
        const malformed = (percent * rows) / 100;
        const share = Number(`${percent}e-2`);
        expect(stateWith(malformed, rows, share), `${malformed} of ${rows}`).toBe('delivering');
        expect(stateWith(malformed + 1, rows, share)).toBe('needs_approval');
      }
    }
  });

  it('holds also for a limit that is a hair above or below it', () => {
    expect(stateWith(5_800_000, 20_000_000, 0.29)).toBe('delivering');
    expect(stateWith(5_800_000, 20_000_000, 0.29000001)).toBe('delivering');
    expect(stateWith(5_800_000, 20_000_000, 0.28999999)).toBe('needs_approval');
  });
});
