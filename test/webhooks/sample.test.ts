import { expect, it } from 'vitest';
import { withoutValues } from '../../functions/webhooks/sample.ts';

const TOKEN = 'tok-0123456789abcdef';

it.each([
  ['a page that has nothing to do with it', 'Internal Server Error', 'Internal Server Error'],
  ['the value', `authorization: Bearer ${TOKEN}\n`, 'authorization: ***\n'],
  ['its token alone', `bad token ${TOKEN}!`, 'bad token ***!'],
  ['the value twice', `${TOKEN} is not ${TOKEN}`, '*** is not ***'],
  ['a token that is cut off at the end', `bad token ${TOKEN.slice(0, 9)}`, 'bad token ***'],
  ['a value that is cut off at the end', 'got Bearer to', 'got ***'],
  ['a letter that happens to be the same', 'what is that', 'what is that'],
])('of %s', (_what, sample, shown) => {
  expect(withoutValues(sample, [`Bearer ${TOKEN}`])).toBe(shown);
});

it('knows a value as JSON writes it', () => {
  const value = 'with "quotes" and \\';

  expect(withoutValues(JSON.stringify({ 'x-a': value }), [value])).toBe('{"x-a":"***"}');
});

it('hides the longer one of two values first', () => {
  const [short, long] = ['0123456789', '0123456789-and-more'];

  expect(withoutValues(`${long} ${short}`, [short, long])).toBe('*** ***');
});

it.each([
  ['error 1 of acme', 'error *** of ***'],
  ['{"got":"acme","n":1}', '{"got":"***","n":***}'],
  ['acmeria has 11 of k_1', 'acmeria has 11 of k_1'],
  ['a+b', '***'],
])('hides short values where they stand for themselves: %s', (sample, shown) => {
  expect(withoutValues(sample, ['1', 'acme', 'a+b', ''])).toBe(shown);
});

const BASIC = `Basic ${btoa('alice:open-sesame')}`;

it.each([
  ['a cookie', 'sid=1; token=abcdefgh1234', '{"token":"abcdefgh1234"}', '{"token":"***"}'],
  ['a list', 'k1=abcdefgh1234,k2=12345678abcd', 'no 12345678abcd', 'no ***'],
  ['a URL', 'a/b+c12345', '?q=a%2Fb%2Bc12345&n=1', '?q=***&n=1'],
  ['base64', 'secret-token-1', '{"auth":"c2VjcmV0LXRva2VuLTE=","n":1}', '{"auth":"***","n":1}'],
  ['base64 without its end', 'secret-token-1', 'c2VjcmV0LXRva2VuLTE.', '***.'],
  ['base64 of URLs', 'secret??token>>1', 'c2VjcmV0Pz90b2tlbj4-MQ.', '***.'],
  ['Basic', BASIC, 'no "open-sesame" of alice:open-sesame!', 'no "***" of ***!'],
  ['half a letter', 'secret-\ud800-token', 'no secrets at all.', 'no secrets at all.'],
])('knows a value as it is in %s', (_what, value, sample, shown) => {
  expect(withoutValues(sample, [value])).toBe(shown);
});

it('is short and ends with a whole character also where what hides is longer', () => {
  const sample = withoutValues(`${'1 '.repeat(200)}${'🙂'.repeat(100)}`, ['1']);
  expect(Buffer.byteLength(sample)).toBe(800);
  expect(sample.isWellFormed()).toBe(true);
});
