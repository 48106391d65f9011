import { describe, expect, it } from 'vitest';
import { careOf, EARLY_MS, judgeArrival } from '../../functions/webhooks/arrival.ts';
import type { Attempt } from '../../functions/webhooks/attempt.ts';
import {
  afterFirstAttempt,
  claim,
  type Delivery,
  isFinal,
  LAPSED,
  newDelivery,
  RETENTION_MS,
  retryByHand,
  settle,
  unclaim,
} from '../../functions/webhooks/delivery.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import { LIFETIME_MS } from '../../functions/webhooks/schedule.ts';
import { cancel, expire, hold, wait } from '../../functions/webhooks/waiting.ts';
import { outcomeOf } from '../support/outcome.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
const LEASE = NOW + 35_000;

const endpoint: Endpoint = {
  id: 'end_1',
  tenantId: 'ten_1',
  url: 'https://example.com/',
  status: 'active',
  retry: { maxAttempts: 3, scheduleSeconds: [10, 20] },
  timeoutMs: 10_000,
  onUnknown: 'resend',
  secrets: [],
  createdAtMs: 0,
};
const at = { endpoint, nowMs: NOW, random: 0.5 };

const fresh = newDelivery(
  { tenantId: 'ten_1', endpointId: 'end_1', eventId: 'evt_1', eventType: 'order.paid' },
  NOW,
);
const claimed = claim(fresh, LEASE, NOW);

const attempt = (fields: Partial<Attempt>): Attempt => ({
  outcome: 'failed',
  ms: 5,
  throttled: false,
  disable: false,
  ...fields,
});
const ok = attempt({ outcome: 'delivered', status: 204 });
const refused = attempt({ status: 500 });
const unknown = attempt({ outcome: 'unknown', error: 'timeout' });
const busy = attempt({ status: 429, throttled: true });

const slotAt = (atMs: number) => ({ atMs, version: 0 });

describe('settle', () => {
  it('ends at the first success', () => {
    const done = settle(claimed, ok, at);
    expect(done).toMatchObject({ status: 'delivered', spent: 1, seq: 1, unsure: false });
    expect([done.dueMs, done.leaseMs]).toEqual([undefined, undefined]);
    expect(done.attempts).toEqual([
      expect.objectContaining({ n: 1, atMs: NOW, outcome: 'delivered', status: 204, ms: 5 }),
    ]);
  });

  it.each([
    { spent: 0, status: 'retrying', dueMs: NOW + 10_000 },
    { spent: 1, status: 'retrying', dueMs: NOW + 20_000 },
    { spent: 2, status: 'exhausted', dueMs: undefined },
    { spent: 9, status: 'exhausted', dueMs: undefined },
  ])('after failure $spent + 1 of 3 it is $status', ({ spent, status, dueMs }) => {
    const next = settle({ ...claimed, spent }, refused, at);
    expect(next).toMatchObject({ status, spent: spent + 1 });
    expect(next.dueMs).toBe(dueMs);
    expect(next.attempts.at(-1)?.nextAtMs).toBe(dueMs);
  });

  it.each([
    { askedMs: 9_999, dueMs: NOW + 10_000 },
    { askedMs: 10_001, dueMs: NOW + 10_001 },
  ])('waits the longer of its step and Retry-After $askedMs', ({ askedMs, dueMs }) => {
    expect(settle(claimed, { ...refused, retryAfterMs: askedMs }, at).dueMs).toBe(dueMs);
  });

  it('spends nothing on a receiver that is too busy, and waits for the end of the block', () => {
    const next = settle({ ...claimed, spent: 2 }, busy, { ...at, blockedUntilMs: NOW + 4_000 });
    expect(next).toMatchObject({ status: 'retrying', spent: 2, seq: 1, dueMs: NOW + 4_400 });
    const now = settle(claimed, busy, { ...at, random: 0, blockedUntilMs: NOW + 4_000 });
    expect(now.dueMs).toBe(NOW + 4_000);
  });

  it.each([
    { firstAtMs: NOW + 10_000 - LIFETIME_MS, status: 'retrying' },
    { firstAtMs: NOW + 10_000 - LIFETIME_MS - 1, status: 'exhausted' },
  ])('is $status when the next attempt is 96 h after the first or more', (row) => {
    const old = { ...claimed, firstAtMs: row.firstAtMs };
    expect(settle(old, refused, at).status).toBe(row.status);
  });

  it.each([
    { createdAtMs: NOW + 10_000 - RETENTION_MS + 1, status: 'retrying' },
    { createdAtMs: NOW + 10_000 - RETENTION_MS, status: 'exhausted' },
  ])('is $status when its record ends before the next attempt or does not', (row) => {
    const sentAgain = { ...claimed, createdAtMs: row.createdAtMs };
    expect(settle(sentAgain, refused, at).status).toBe(row.status);
  });

  it('ends a delivery that only met a busy receiver for 96 hours', () => {
    const old = { ...claimed, firstAtMs: NOW - LIFETIME_MS };
    expect(settle(old, busy, at)).toMatchObject({ status: 'exhausted', reason: 'too_old' });
  });

  it('marks every attempt after an unknown outcome as a possible duplicate', () => {
    const unsure = settle(claimed, unknown, at);
    expect(unsure).toMatchObject({ status: 'retrying', unsure: true });
    expect(unsure.attempts[0]?.possibleDuplicate).toBeUndefined();
    const second = settle(claim(unsure, LEASE, NOW), refused, at);
    const third = settle(claim(second, LEASE, NOW), ok, at);
    expect(third.attempts.map((it) => it.possibleDuplicate)).toEqual([undefined, true, true]);
  });

  it('leaves an unknown outcome to a person where the endpoint wants that', () => {
    const stop = { ...at, endpoint: { ...endpoint, onUnknown: 'stop' as const } };
    expect(settle(claimed, unknown, stop)).toMatchObject({ status: 'uncertain', unsure: true });
    expect(settle(claimed, LAPSED, stop).status).toBe('uncertain');
    expect(settle(claimed, refused, stop).status).toBe('retrying');
  });

  it('keeps the last 20 attempts', () => {
    const many = Array.from({ length: 20 }, (_, n) => ({
      n,
      atMs: NOW,
      outcome: 'failed' as const,
    }));
    const next = settle({ ...claimed, seq: 21, attempts: many }, refused, at);
    expect(next.attempts.map((it) => it.n)).toEqual([...many.slice(1).map((it) => it.n), 21]);
  });

  it('crashes for a delivery that nobody has claimed', () => {
    expect(() => settle(fresh, ok, at)).toThrow('only a claimed attempt');
  });
});

describe('claim', () => {
  it('counts the attempt, remembers the first, and leaves the due time alone', () => {
    expect(claimed).toMatchObject({ status: 'inflight', seq: 1, leaseMs: LEASE, firstAtMs: NOW });
    const again = claim({ ...settle(claimed, refused, at) }, LEASE + 1, NOW + 10_000);
    expect(again).toMatchObject({ seq: 2, firstAtMs: NOW, dueMs: NOW + 10_000 });
  });

  it('is taken back without a trace when nothing was sent', () => {
    const back = unclaim(claimed, NOW);
    expect(back).toMatchObject({ status: 'retrying', seq: 0, spent: 0, dueMs: NOW + 30_000 });
    expect(judgeArrival(back, 1, NOW + 30_000)).toBe('claim');
  });
});

describe('judgeArrival', () => {
  const retrying: Delivery = { ...fresh, status: 'retrying', seq: 2, dueMs: NOW };
  const held: Delivery = { ...fresh, status: 'held', dueMs: NOW };

  it.each<{ row: Delivery; seq: number | undefined; arrival: string }>([
    { row: retrying, seq: 3, arrival: 'claim' },
    { row: retrying, seq: undefined, arrival: 'claim' },
    { row: retrying, seq: 2, arrival: 'echo' },
    { row: retrying, seq: 1, arrival: 'stale' },
    { row: retrying, seq: 4, arrival: 'stale' },
    { row: { ...retrying, dueMs: NOW + EARLY_MS }, seq: 3, arrival: 'claim' },
    { row: { ...retrying, dueMs: NOW + EARLY_MS + 1 }, seq: 3, arrival: 'early' },
    { row: { ...retrying, dueMs: NOW + EARLY_MS + 1 }, seq: undefined, arrival: 'early' },
    { row: wait(fresh, slotAt(NOW), NOW), seq: 1, arrival: 'claim' },
    { row: wait(fresh, slotAt(NOW + 900_000), NOW), seq: 1, arrival: 'early' },
    { row: { ...claimed, leaseMs: NOW }, seq: 1, arrival: 'busy' },
    { row: { ...claimed, leaseMs: NOW - 1 }, seq: 1, arrival: 'lapsed' },
    { row: { ...claimed, leaseMs: NOW - 1 }, seq: undefined, arrival: 'lapsed' },
    { row: held, seq: 1, arrival: 'expired' },
    { row: { ...held, dueMs: NOW + 1 }, seq: 1, arrival: 'stale' },
    { row: { ...fresh, status: 'delivered' }, seq: 1, arrival: 'stale' },
    { row: { ...fresh, status: 'exhausted' }, seq: 1, arrival: 'stale' },
    { row: { ...fresh, status: 'uncertain' }, seq: 1, arrival: 'stale' },
  ])('$row.status at $row.seq meets a message for $seq: $arrival', ({ row, seq, arrival }) => {
    expect(judgeArrival(row, seq, NOW)).toBe(arrival);
  });
});

describe('careOf', () => {
  it.each<{ row: Delivery | undefined; care: string }>([
    { row: undefined, care: 'lost' },
    { row: { ...claimed, leaseMs: NOW - 1 }, care: 'lost' },
    { row: { ...claimed, leaseMs: NOW }, care: 'alive' },
    { row: { ...claimed, leaseMs: NOW - 1, dueMs: NOW }, care: 'done' },
    { row: { ...fresh, status: 'retrying', dueMs: NOW }, care: 'done' },
    { row: { ...fresh, status: 'delivered' }, care: 'done' },
  ])('$row.status: $care', ({ row, care }) => expect(careOf(row, NOW)).toBe(care));
});

describe('retryByHand', () => {
  const by = (status: Delivery['status'], force = false, target: Endpoint | undefined = endpoint) =>
    outcomeOf(() => retryByHand({ ...fresh, status }, target, { force, nowMs: NOW }).status);

  it.each(['waiting', 'retrying', 'held', 'exhausted', 'uncertain', 'expired'] as const)(
    'sends a delivery again that is %s',
    (status) => {
      expect(by(status)).toBe('retrying');
    },
  );

  it.each(['delivered', 'cancelled'] as const)('sends a %s one only by force', (status) => {
    expect([by(status), by(status, true)]).toEqual(['not_retryable', 'retrying']);
  });

  it('never takes one out of the hands of a worker', () => {
    expect(by('inflight', true)).toBe('not_retryable');
  });

  it.each(['paused', 'disabled'] as const)('refuses while the endpoint is %s', (status) => {
    expect(by('exhausted', true, { ...endpoint, status })).toBe('not_retryable');
    const ask = (target?: Endpoint) => retryByHand(fresh, target, { force: true, nowMs: NOW });
    expect(() => ask({ ...endpoint, status })).toThrow(`The endpoint is ${status}: change its`);
    expect(() => ask()).toThrow('The endpoint was deleted.');
  });

  it('begins a full plan and a new lifetime', () => {
    const old: Delivery = { ...fresh, status: 'exhausted', seq: 3, spent: 3, firstAtMs: 1 };
    const again = retryByHand(old, endpoint, { force: false, nowMs: NOW });
    expect(again).toMatchObject({ seq: 3, spent: 0, dueMs: NOW });
    expect(claim(again, LEASE, NOW)).toMatchObject({ seq: 4, firstAtMs: NOW });
  });
});

describe('the other ends', () => {
  it('holds behind a closed endpoint until a day before the record ends', () => {
    const held = hold(fresh, 'endpoint_paused');
    expect(held).toMatchObject({ status: 'held', reason: 'endpoint_paused' });
    expect(held.dueMs).toBe(NOW + RETENTION_MS - 86_400_000);
    expect(expire(held)).toMatchObject({ status: 'expired', reason: 'endpoint_paused' });
  });

  it('leaves nothing due at the end', () => {
    const ends = [
      settle(claimed, ok, at),
      expire(hold(fresh, 'breaker_open')),
      cancel(wait(fresh, slotAt(NOW), NOW)),
    ];
    expect(ends.map((it) => [isFinal(it), it.dueMs])).toEqual(ends.map(() => [true, undefined]));
  });

  it('records an alert from its first attempt on', () => {
    const alert = {
      origin: { fileId: 'fil_1', block: 2, index: 7 },
      bodyRef: { key: 'work/x', start: 10, end: 20 },
      timestampMs: NOW,
    };
    const begun = { ...at, startedAtMs: NOW - 50, isRepeat: false };
    const row = afterFirstAttempt({ ...fresh, alert }, refused, begun);
    expect(row).toMatchObject({ status: 'retrying', seq: 1, spent: 1, alert, dueMs: NOW + 10_000 });
    expect(row.attempts).toEqual([expect.objectContaining({ n: 1, atMs: NOW - 50 })]);
    expect(row.unsure).toBe(false);
    const repeated = afterFirstAttempt({ ...fresh, alert }, refused, { ...begun, isRepeat: true });
    expect(repeated).toMatchObject({ unsure: true, attempts: [{ possibleDuplicate: true }] });
  });
});
