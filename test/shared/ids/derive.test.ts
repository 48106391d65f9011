import { describe, expect, it } from 'vitest';
import { deriveId, idInBatch, idPart, shardOf } from '../../../functions/shared/ids/derive.ts';
import { openIds, timeOfId } from '../../../functions/shared/ids/ulid.ts';
import { id } from '../../../functions/shared/wire.ts';

describe('deriveId', () => {
  it('gives the same id for the same parts, in the form of an id', () => {
    const first = deriveId('txn', 'ten_1', 'money', 'key');

    expect(deriveId('txn', 'ten_1', 'money', 'key')).toBe(first);
    expect(id('txn').safeParse(first).success).toBe(true);
  });

  it.each([
    [
      ['ab', 'c'],
      ['a', 'bc'],
    ],
    [
      ['a', ''],
      ['', 'a'],
    ],
    [['a'], ['a', '']],
    [['é'], ['e\u0301']],
  ])('tells %j from %j', (left, right) => {
    expect(deriveId('txn', ...left)).not.toBe(deriveId('txn', ...right));
  });

  it('spreads ids over all shards', () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => deriveId('evt', String(n)));
    const counts = Map.groupBy(ids, (it) => shardOf(it, 16));

    expect(counts.size).toBe(16);
    for (const members of counts.values()) expect(members.length).toBeGreaterThan(30);
  });
});

describe('idInBatch', () => {
  it('gives ids of the batch’s time, sorted by place, like no others', () => {
    const ids = openIds(() => 1_700_000_000_000);
    const [one, other] = [ids.next('evt'), ids.next('evt')];
    const made = Array.from({ length: 1_024 }, (_, place) => idInBatch(one, place));

    expect([...made].sort()).toEqual(made);
    expect(new Set([...made, idInBatch(other, 0), one, other]).size).toBe(1_027);
    expect(new Set(made.map(timeOfId))).toEqual(new Set([1_700_000_000_000]));
    expect(made.every((it) => id('evt').safeParse(it).success)).toBe(true);
    expect(new Set(made.map((it) => shardOf(it, 16))).size).toBe(16);
  });
});

describe('openIds', () => {
  it('makes ids in time order that tell their time, within one millisecond too', () => {
    const ids = openIds(() => 1_700_000_000_000);
    const made = Array.from({ length: 50 }, () => ids.next('evt'));

    expect([...made].sort()).toEqual(made);
    expect(made.map(timeOfId)).toEqual(made.map(() => 1_700_000_000_000));
    expect(idPart(made[0] ?? '')).toHaveLength(26);
  });
});
