import { describe, expect, it } from 'vitest';
import { msOfSortable } from '../../functions/shared/sortable.ts';
import { DUE_SHARDS, dueAttributes } from '../../functions/timers/due.ts';

const NOW = Date.UTC(2026, 10, 21, 10, 30, 15);
const key = { pk: 'ten_A#end_B#3', sk: 'evt_C' };

describe('dueAttributes', () => {
  it.each([
    { dueMs: NOW + 44_999, minute: '202611211030' },
    { dueMs: NOW + 45_000, minute: '202611211031' },
    { dueMs: NOW - 1, minute: '202611211030' },
    { dueMs: NOW - 86_400_000, minute: '202611211030' },
    { dueMs: Date.UTC(2027, 0, 1), minute: '202701010000' },
  ])('files $dueMs under minute $minute', ({ dueMs, minute }) => {
    const { duePk, dueSk } = dueAttributes(key, dueMs, NOW);
    expect(duePk).toMatch(new RegExp(`^${minute}#([0-9]|1[0-5])$`));
    expect(dueSk).toBe(`${dueMs}#ten_A#end_B#3#evt_C`);
    expect(msOfSortable(dueSk)).toBe(dueMs);
  });

  it('keeps an item in its shard and spreads items over all of them', () => {
    const shardOf = (sk: string) => dueAttributes({ ...key, sk }, NOW, NOW).duePk.split('#')[1];
    expect(shardOf('evt_C')).toBe(shardOf('evt_C'));
    const shards = new Set(Array.from({ length: 500 }, (_, n) => shardOf(`evt_${n}`)));
    expect(shards.size).toBe(DUE_SHARDS);
  });
});
