import { describe, expect, it } from 'vitest';
import { fingerprintOf } from '../../../functions/shared/http/fingerprint.ts';
import { parseJson } from '../../../functions/shared/http/strict-json.ts';

const of = (body: string, method = 'POST', path = '/v1/things') =>
  fingerprintOf(method, path, parseJson(Buffer.from(body)).exactValue());

describe('fingerprintOf', () => {
  it.each([
    ['{"a":1,"b":2}', '{"b":2,"a":1}'],
    ['{"a":{"c":1,"b":[1,2]}}', ' { "a" : { "b" : [1, 2], "c" : 1 } } '],
    ['{"a":"\\u00e9"}', '{"a":"é"}'],
  ])('is the same for %s and %s', (left, right) => {
    expect(of(left)).toBe(of(right));
  });

  it.each([
    ['{"a":1}', '{"a":"1"}'],
    ['{"a":[1,2]}', '{"a":[2,1]}'],
    ['{"a":null}', '{}'],
    ['{"n":9007199254740992}', '{"n":9007199254740993}'],
    ['{"n":0}', '{"n":-0}'],
  ])('tells %s from %s', (left, right) => {
    expect(of(left)).not.toBe(of(right));
  });

  it('is of the method and the concrete path too', () => {
    expect(of('{}', 'POST', '/v1/things/1')).not.toBe(of('{}', 'POST', '/v1/things/2'));
    expect(of('{}', 'POST')).not.toBe(of('{}', 'PATCH'));
  });
});
