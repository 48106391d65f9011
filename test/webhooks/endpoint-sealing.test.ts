import { describe, expect, it } from 'vitest';
import { openIds } from '../../functions/shared/ids/ulid.ts';
import { readMasterKey } from '../../functions/shared/sealed.ts';
import type { Endpoint } from '../../functions/webhooks/endpoint.ts';
import {
  openHeaders,
  openSecrets,
  rotateSecrets,
  sealFirstSecret,
  sealHeaders,
} from '../../functions/webhooks/endpoint-sealing.ts';
import { newSecret } from '../../functions/webhooks/signature.ts';

const ids = openIds(() => 0);
const masterKey = readMasterKey('a-master-key-of-the-tests-0123456789');
const sealer = { masterKey, ids };
const name = { tenantId: 'ten_1', id: 'end_1' } as const;
const [FIRST, SECOND, THIRD, FOURTH] = Array.from({ length: 4 }, () => newSecret(ids)) as [
  ...[string, string, string, string],
];
const HOUR = { seconds: 3_600, ms: 3_600_000 };

const endpoint: Endpoint = {
  ...name,
  url: 'https://example.com/',
  status: 'active',
  retry: { maxAttempts: 11 },
  timeoutMs: 10_000,
  onUnknown: 'resend',
  secrets: sealFirstSecret(name, FIRST, sealer),
  createdAtMs: 0,
};

function rotated(from: Endpoint, secret: string, graceSeconds: number, nowMs = 0): Endpoint {
  return { ...from, secrets: rotateSecrets(from, { secret, graceSeconds, nowMs }, sealer) };
}

const openAt = (it: Endpoint, nowMs: number) => openSecrets(it, masterKey, nowMs);

describe('a rotation of secrets', () => {
  it('signs with the older one, too, until its grace is over', () => {
    const after = rotated(endpoint, SECOND, HOUR.seconds);
    expect(openAt(after, 0)).toEqual([SECOND, FIRST]);
    expect(openAt(after, HOUR.ms - 1)).toEqual([SECOND, FIRST]);
    expect(openAt(after, HOUR.ms)).toEqual([SECOND]);
  });

  it('ends all older ones at once without any grace', () => {
    const after = rotated(rotated(endpoint, SECOND, HOUR.seconds), THIRD, 0);
    expect(openAt(after, 0)).toEqual([THIRD]);
    expect(after.secrets).toHaveLength(1);
  });

  it('keeps three at most, and lets the oldest go', () => {
    const all = [SECOND, THIRD, FOURTH];
    const after = all.reduce((it, secret) => rotated(it, secret, HOUR.seconds), endpoint);
    expect(openAt(after, 0)).toEqual([FOURTH, THIRD, SECOND]);
  });

  it('never makes an older one live longer than it would have', () => {
    const short = rotated(endpoint, SECOND, 60);
    const after = rotated(short, THIRD, HOUR.seconds);
    expect(openAt(after, 59_999)).toEqual([THIRD, SECOND, FIRST]);
    expect(openAt(after, 60_000)).toEqual([THIRD, SECOND]);
  });

  it('drops those whose grace is over', () => {
    const after = rotated(rotated(endpoint, SECOND, 60), THIRD, HOUR.seconds, 60_000);
    expect(after.secrets).toHaveLength(2);
  });

  it('takes one that comes back as the new one, and keeps no copy', () => {
    const after = rotated(rotated(endpoint, SECOND, HOUR.seconds), FIRST, HOUR.seconds);
    expect(openAt(after, 0)).toEqual([FIRST, SECOND]);
    expect(openAt(after, 10 * HOUR.ms)).toEqual([FIRST]);
    expect(openAt(rotated(after, FIRST, HOUR.seconds), 10 * HOUR.ms)).toEqual([FIRST]);
  });
});

describe('custom headers', () => {
  it('open for their endpoint only, and not as a secret', () => {
    const headers = sealHeaders(name, { 'x-b': '2', authorization: 'Bearer a' }, sealer);
    const sealed = { ...endpoint, headers };
    expect(headers?.names).toEqual(['authorization', 'x-b']);
    expect(openHeaders(sealed, masterKey)).toEqual({ authorization: 'Bearer a', 'x-b': '2' });
    expect(() => openHeaders({ ...sealed, id: 'end_2' }, masterKey)).toThrow();
    const swapped = { ...endpoint, secrets: [{ sealed: headers?.sealed ?? '' }] };
    expect(() => openAt(swapped, 0)).toThrow();
  });

  it('are nothing when there are none', () => {
    expect(sealHeaders(name, {}, sealer)).toBeUndefined();
    expect(openHeaders(endpoint, masterKey)).toEqual({});
  });
});
