import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../local/pattern.ts';

const EVENT = {
  source: 'aws.s3',
  'detail-type': 'Object Created',
  detail: { bucket: { name: 'files' }, object: { key: 'incoming/a.csv', size: 0 } },
  resources: ['one', 'two'],
};

describe('matchesPattern', () => {
  it.each([
    [{}, true],
    [{ source: ['aws.s3'] }, true],
    [{ source: ['aws.s3', 'other'] }, true],
    [{ source: ['other'] }, false],
    [{ source: [] }, false],
    [{ detail: { bucket: { name: ['files'] }, object: { size: [0] } } }, true],
    [{ detail: { object: { size: ['0'] } } }, false],
    [{ detail: { object: { key: [{ prefix: 'incoming/' }] } } }, true],
    [{ detail: { object: { key: [{ prefix: 'drop/' }, { prefix: 'incoming/' }] } } }, true],
    [{ detail: { object: { key: [{ prefix: 'ncoming/' }] } } }, false],
    [{ detail: { object: { key: [{ suffix: '.csv' }] } } }, true],
    [{ detail: { object: { key: [{ suffix: '.CSV' }] } } }, false],
    [{ detail: { object: { etag: [{ exists: false }] } } }, true],
    [{ detail: { object: { key: [{ exists: false }] } } }, false],
    [{ detail: { nothing: { here: ['x'] } } }, false],
    [{ source: [{ 'anything-but': ['aws.ec2'] }] }, true],
    [{ source: [{ 'anything-but': 'aws.s3' }] }, false],
    [{ missing: [{ 'anything-but': 'x' }] }, false],
    [{ resources: ['two'] }, true],
    [{ resources: ['three'] }, false],
  ])('%j: %s', (pattern, expected) => {
    expect(matchesPattern(pattern, EVENT)).toBe(expected);
  });

  it.each([
    [{ source: [{ wildcard: 'aws.*' }] }, 'does not know the pattern condition "wildcard"'],
    [{ $or: [{ source: ['aws.s3'] }] }, '"source"'],
    [{ source: 'aws.s3' }, 'does not know the pattern source'],
  ])('stops at %j with its name', (pattern, message) => {
    expect(() => matchesPattern(pattern, EVENT)).toThrow(message);
  });
});
