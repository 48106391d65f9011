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

it('leaves short values alone, which are no secrets and would make the sample unreadable', () => {
  expect(withoutValues('error 1 of acme', ['1', 'acme'])).toBe('error 1 of acme');
});
