import { expect, it } from 'vitest';
import { alertEventId } from '../../functions/files/send-alert.ts';
import { openIds, timeOfId } from '../../functions/shared/ids/ulid.ts';

const file = { tenantId: 'ten_1', id: 'fil_01ARZ3NDEKTSV4RRFFQ69G5FAV' } as const;
const NOON_MS = Date.UTC(2026, 10, 21, 12);

it('is the same for one user of a file, and another one for others', () => {
  const at = { ...file, alertsAtMs: NOON_MS };
  const ids = ['u1', 'u2', 'u1'].map((it) => alertEventId(at, it));
  expect(ids[0]).toBe(ids[2]);
  expect(ids[0]).not.toBe(ids[1]);
  expect(alertEventId({ ...at, tenantId: 'ten_2' }, 'u1')).not.toBe(ids[0]);
  expect(ids[0]).toMatch(/^evt_[0-9A-HJKMNP-TV-Z]{26}$/);
});

it('lies among events where its file does, so that lists show the newest first', () => {
  let nowMs = NOON_MS - 1;
  const events = openIds(() => nowMs);
  const before = events.next('evt');
  const alerts = Array.from({ length: 100 }, (_, n) =>
    alertEventId({ ...file, alertsAtMs: NOON_MS }, `u${n}`),
  );
  nowMs = NOON_MS + 1;
  const after = events.next('evt');
  expect(alerts.every((it) => before < it && it < after)).toBe(true);
  expect(timeOfId(String(alerts[0]))).toBe(NOON_MS);
});

it('stays what it was for a file that an earlier release has taken in', () => {
  expect(alertEventId(file, 'u1')).toBe('evt_1JY2VX1M4HR0YFFQS1P4Y688ZC');
});
