import { describe, expect, it } from 'vitest';
import type { SendResult } from '../../functions/shared/world.ts';
import { judge } from '../../functions/webhooks/attempt.ts';

const NOW = Date.UTC(2026, 10, 21);

const bytesOf = (text: string) => new TextEncoder().encode(text);

function answered(status: number, headers: Record<string, string> = {}, body = ''): SendResult {
  return { kind: 'answered', status, headers, sample: new TextEncoder().encode(body), ms: 7 };
}

describe('judge', () => {
  it.each([
    { status: 199, outcome: 'failed' },
    { status: 200, outcome: 'delivered' },
    { status: 204, outcome: 'delivered' },
    { status: 299, outcome: 'delivered' },
    { status: 300, outcome: 'failed' },
    { status: 302, outcome: 'failed' },
    { status: 404, outcome: 'failed' },
    { status: 500, outcome: 'failed' },
  ])('calls $status $outcome', ({ status, outcome }) => {
    expect(judge(answered(status), NOW)).toMatchObject({ outcome, status, ms: 7 });
  });

  it.each([
    { status: 429, after: undefined, throttled: true },
    { status: 429, after: '3', throttled: true },
    { status: 503, after: '3', throttled: true },
    { status: 503, after: undefined, throttled: false },
    { status: 503, after: 'soon', throttled: false },
    { status: 500, after: '3', throttled: false },
  ])('$status with Retry-After $after: throttled $throttled', ({ status, after, throttled }) => {
    const headers = after === undefined ? {} : { 'retry-after': after };
    expect(judge(answered(status, headers), NOW).throttled).toBe(throttled);
  });

  it.each([
    { status: 410, headers: {}, disable: true },
    { status: 500, headers: { 'webhook-delivery': 'disable' }, disable: true },
    { status: 200, headers: { 'webhook-delivery': 'disable' }, disable: true },
    { status: 200, headers: { 'webhook-delivery': ' Disable' }, disable: true },
    { status: 500, headers: { 'webhook-delivery': 'enable' }, disable: false },
    { status: 404, headers: {}, disable: false },
  ])('$status $headers asks to be disabled: $disable', ({ status, headers, disable }) => {
    expect(judge(answered(status, headers), NOW).disable).toBe(disable);
  });

  it('keeps what a refusal said, and nothing of a success', () => {
    expect(judge(answered(500, {}, 'no — später'), NOW).sample).toBe('no — später');
    expect(judge(answered(200, {}, 'thanks'), NOW).sample).toBeUndefined();
    expect(judge(answered(500), NOW).sample).toBeUndefined();
  });

  it.each<[string, Uint8Array, string | undefined]>([
    ['a character that its end goes through', bytesOf('aé').subarray(0, 2), 'a'],
    ['one of four bytes', bytesOf('a😀').subarray(0, 4), 'a'],
    ['nothing but half a character', bytesOf('é').subarray(0, 1), undefined],
    ['bytes that are no text', Uint8Array.of(0xff, 0x61, 0xc3, 0x28), '\ufffda\ufffd('],
    ['a kilobyte of those', new Uint8Array(1_024).fill(0xff), '\ufffd'.repeat(266)],
    ['text that is too long', bytesOf('a'.repeat(1_024)), 'a'.repeat(800)],
    ['a pair where it ends', bytesOf(`${'a'.repeat(798)}😀`), 'a'.repeat(798)],
  ])('keeps a sample of at most 800 bytes, whole characters: %s', (_what, sample, text) => {
    expect(judge({ ...answered(500), sample } as SendResult, NOW).sample).toBe(text);
  });

  it.each([
    { result: { kind: 'failed', error: 'refused', ms: 1 }, outcome: 'failed' },
    { result: { kind: 'unknown', error: 'timeout', ms: 9 }, outcome: 'unknown' },
    { result: { kind: 'abandoned', ms: 0 }, outcome: 'abandoned' },
  ] as const)('carries over $result', ({ result, outcome }) => {
    const attempt = judge(result, NOW);
    expect(attempt.outcome).toBe(outcome);
    expect(attempt.error).toBe('error' in result ? result.error : undefined);
  });
});
