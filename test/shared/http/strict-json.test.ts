import { describe, expect, it } from 'vitest';
import {
  elementTexts,
  exactJson,
  memberTexts,
  parseJson,
} from '../../../functions/shared/http/strict-json.ts';

const parse = (text: string) => parseJson(Buffer.from(text));
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('parseJson', () => {
  it.each([
    ['{"a":1}', { a: 1 }],
    [' {"a":[1,{"b":"}"}]} ', { a: [1, { b: '}' }] }],
    ['{"a":"\\"{[","b":"\\\\"}', { a: '"{[', b: '\\' }],
    ['{"a":{"x":1},"b":{"x":2}}', { a: { x: 1 }, b: { x: 2 } }],
    ['["a","a"]', ['a', 'a']],
    ['"a,b"', 'a,b'],
    [nested(32), JSON.parse(nested(32))],
  ])('reads %s', (text, value) => {
    expect(parse(text).value).toEqual(value);
  });

  it.each([
    ['nothing', ''],
    ['a comma too many', '{"a":1,}'],
    ['bytes after the value', '{"a":1}{"b":2}'],
    ['a name twice', '{"a":1,"b":2,"a":3}'],
    ['a name twice, once escaped', '{"a":1,"\\u0061":3}'],
    ['a name twice in an inner object', '{"x":[{"a":1,"a":2}]}'],
    ['33 levels', nested(33)],
    ['100,000 levels', nested(100_000)],
    ['an open string', '{"a":"b'],
    ['single quotes', "{'a':1}"],
    ['256 KB of quotes that are escaped outside of strings', '\\"'.repeat(128 * 1024)],
    ['256 KB of open strings', '"\\'.repeat(128 * 1024)],
  ])('refuses %s', (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'malformed_json' }));
  });

  it.each([
    ['a BOM', [0xef, 0xbb, 0xbf, 0x7b, 0x7d]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
    ['bytes that are not UTF-8', [0x22, 0xc3, 0x28, 0x22]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => parseJson(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'malformed_json' }),
    );
  });

  it.each([
    ['12', 12],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740993', Number.NaN],
    ['1.0', Number.NaN],
    ['1e3', Number.NaN],
    ['-1', Number.NaN],
  ])('reads the amount %s as %s: only a plain exact integer is money', (text, value) => {
    const body = parseJson(Buffer.from(`{"amount":${text}}`), { movesMoney: true });
    expect(body.value).toEqual({ amount: value });
  });

  it('leaves amounts alone where no money moves: they are somebody else’s data', () => {
    expect(parse('{"data":{"amount":12.50}}').value).toEqual({ data: { amount: 12.5 } });
  });

  it('refuses a name that would vanish in an object', () => {
    expect(() => parse('{"metadata":{"__proto__":"x"}}')).toThrow('"__proto__" is not allowed');
  });

  it('keeps the exact text of each member', () => {
    const body = parse('{ "data" : {"n": 12345678901234567890.10 , "a":[1, 2]} , "b":"x,}" }');

    expect(body.memberText('data')).toBe('{"n": 12345678901234567890.10 , "a":[1, 2]}');
    expect(body.memberText('b')).toBe('"x,}"');
    expect(body.memberText('n')).toBeUndefined();
  });
});

describe('exactJson', () => {
  it.each([
    ['[0,-1,1.5,1e+21,9007199254740991]'],
    ['{"a":"1.0 and -0","b":[1e21,-0,1.0,12345678901234567890,1E2]}'],
    ['1.10'],
  ])('is written again as it was: %s', (source) => {
    expect(JSON.stringify(exactJson(source))).toBe(source);
  });

  it('reads plain numbers as numbers', () => {
    expect(exactJson('[1,2.5,"1.0"]')).toEqual([1, 2.5, '1.0']);
  });
});

describe('elementTexts', () => {
  it.each([
    ['[]', []],
    ['[ \n ]', []],
    ['[1]', ['1']],
    ['[ {"a":[1,2]} ,\t[3, [4]],"x,]\\"", null ]', ['{"a":[1,2]}', '[3, [4]]', '"x,]\\""', 'null']],
    ['[[],{},[[]]]', ['[]', '{}', '[[]]']],
  ])('keeps the exact text of each element of %s', (list, elements) => {
    expect(elementTexts(list)).toEqual(elements);
  });

  it('bears strings of any length', () => {
    const long = JSON.stringify('\n'.repeat(500_000));
    expect(elementTexts(`[${long},1]`)).toEqual([long, '1']);
    expect(memberTexts(`{"a":${long}}`).get('a')).toBe(long);
  });
});
