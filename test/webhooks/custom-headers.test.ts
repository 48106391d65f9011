import { describe, expect, it } from 'vitest';
import { headerFaults } from '../../functions/webhooks/custom-headers.ts';

const faultOf = (name: string, value = 'x') => headerFaults({ [name]: value })[0]?.message;

describe('the name of a custom header', () => {
  it.each([
    ...['host', 'TE', 'Trailer', 'upgrade', 'Expect', 'CONNECTION', 'keep-alive'],
    ...['Content-Type', 'content-length', 'CONTENT-ENCODING', 'content-x', 'Transfer-Encoding'],
    ...['accept-encoding', 'User-Agent', 'traceparent', 'Proxy-Authorization', 'proxy-connection'],
    ...['webhook-id', 'Webhook-Signature', 'WEBHOOK-anything'],
  ])('may not be %s, which Tallyhook sets', (name) => {
    expect(faultOf(name)).toBe('is a header that Tallyhook sets');
  });

  it.each([
    ...['', ' ', 'a b', 'a:b', ':a', 'a\r\nb', 'a\0', 'ä', 'a(b)', '"a"', 'a/b', 'x'.repeat(101)],
  ])('may not be %j, which is no token', (name) => {
    expect(faultOf(name)).toBe('is not a name that a header may have');
  });

  it.each(['authorization', 'Authorization', 'X-Api-Key', 'cookie', "!#$%&'*+.^_`|~-9", 'hosts'])(
    'may be %s',
    (name) => expect(faultOf(name)).toBeUndefined(),
  );
});

describe('the value of a custom header', () => {
  it.each(['a\r\nb: c', 'a\nb', 'a\0', ' a', 'a ', '\ta', 'ä', '\u{1f600}', '\x7f'])(
    'may not be %j',
    (value) => {
      expect(faultOf('x-a', value)).toBe('must be visible ASCII, with spaces only between');
    },
  );

  it.each(['', 'a', 'Bearer a b', 'a\tb', '~!'])('may be %j', (value) => {
    expect(faultOf('x-a', value)).toBeUndefined();
  });
});

describe('custom headers together', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, 'v']));

  it('are at most 20', () => {
    expect(headerFaults(many(20))).toEqual([]);
    expect(headerFaults(many(21))).toEqual([{ message: 'has more than 20 headers' }]);
  });

  it('are at most 4 KB with their names', () => {
    expect(headerFaults({ abcd: 'v'.repeat(4_092) })).toEqual([]);
    expect(headerFaults({ abcd: 'v'.repeat(4_093) })).toEqual([{ message: 'is above 4 KB' }]);
  });

  it('are each there once, in any case of letters', () => {
    const faults = headerFaults({ 'X-A': '1', 'x-a': '2', 'x-b': '3' });
    expect(faults).toEqual([{ name: 'x-a', message: 'is there twice' }]);
  });
});
