import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortableMs } from '../../functions/shared/sortable.ts';
import type { Message } from '../../functions/shared/world.ts';
import { TaskMessage, tasksIn } from '../../functions/tasks/task-message.ts';
import { messagesOf } from '../../functions/timers/gather-due.ts';
import type { DueEntry } from '../../functions/timers/sweep.store.ts';
import { NOON_MS } from '../support/world.ts';

function entry(tenant: string, name: string, inMs: number): DueEntry {
  const dueMs = NOON_MS + inMs;
  const pk = `${tenant}#${name}`;
  return { pk, sk: '#', dueMs, dueSk: `${sortableMs(dueMs)}#${pk}##` };
}

const named = (message: Message) => tasksIn(TaskMessage.parse(message.body));
const namesOf = (messages: readonly Message[]) =>
  messages.map((it) => named(it).map(({ pk }) => pk.split('#')[1]));

describe('the messages of tasks', () => {
  it('name those of one tenant that are due in the same quarter of a second', () => {
    const entries = [
      entry('ten_a', 't1', 60_000),
      entry('ten_b', 't2', 60_001),
      entry('ten_a', 't3', 60_250),
      entry('ten_b', 't4', 60_252),
      entry('ten_a', 't5', 60_253),
    ];
    const messages = messagesOf('tasks', entries, NOON_MS);
    expect(namesOf(messages)).toEqual([['t1', 't3'], ['t2'], ['t4'], ['t5']]);
    expect(messages.map((it) => it.group)).toEqual(['ten_a', 'ten_b', 'ten_b', 'ten_a']);
    // A second before the first of them is due.
    expect(messages[0]?.atMs).toBe(NOON_MS + 59_000);
    expect(messages[0]?.body).toEqual({
      ...{ v: 1, pk: 'ten_a#t1', sk: '#', dueMs: NOON_MS + 60_000 },
      others: [{ pk: 'ten_a#t3', dueMs: NOON_MS + 60_250 }],
    });
    expect(messages[1]?.body).toEqual({ v: 1, pk: 'ten_b#t2', sk: '#', dueMs: NOON_MS + 60_001 });
  });

  it('name twenty at most', () => {
    const entries = Array.from({ length: 45 }, (_, n) => entry('ten_a', `t${n}`, 60_000));
    const sizes = messagesOf('tasks', entries, NOON_MS).map((it) => named(it).length);
    expect(sizes).toEqual([20, 20, 5]);
  });

  it('name one each where it is overdue, so that none has to come again for another', () => {
    const entries = [
      entry('ten_a', 't1', -30_001),
      entry('ten_a', 't2', -30_000),
      entry('ten_a', 't3', -29_999),
      entry('ten_a', 't4', -29_900),
    ];
    expect(namesOf(messagesOf('tasks', entries, NOON_MS))).toEqual([['t1'], ['t2'], ['t3', 't4']]);
  });

  it('name each task once, twenty at most, and none that is due before the first', () => {
    const tasks = fc.array(
      fc.record({
        tenant: fc.constantFrom('ten_a', 'ten_b', 'ten_c'),
        inMs: fc.integer({ min: -31_000, max: -28_000 }),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(tasks, (drawn) => {
        const entries = drawn
          .toSorted((a, b) => a.inMs - b.inMs)
          .map(({ tenant, inMs }, n) => entry(tenant, `t${n}`, inMs));
        const messages = messagesOf('tasks', entries, NOON_MS);
        const all = messages.flatMap((it) => named(it).map(({ pk }) => pk));
        expect(all.toSorted()).toEqual(entries.map((it) => it.pk).toSorted());
        for (const message of messages) {
          const together = named(message);
          const aheadMs = together.map(({ dueMs }) => dueMs - (together[0]?.dueMs ?? 0));
          expect(together.length).toBeLessThanOrEqual(20);
          expect(Math.min(...aheadMs)).toBe(0);
          expect(Math.max(...aheadMs)).toBeLessThanOrEqual(250);
          expect(new Set(together.map(({ pk }) => pk.split('#')[0])).size).toBe(1);
        }
      }),
    );
  });
});

it('the messages of any other table name one item each', () => {
  const entries = [entry('ten_a', 'd1', 1_000), entry('ten_a', 'd2', 1_000)];
  const messages = messagesOf('inbox', entries, NOON_MS);
  expect(messages.map(({ body }) => body)).toEqual([
    { v: 1, pk: 'ten_a#d1', sk: '#', dueMs: NOON_MS + 1_000 },
    { v: 1, pk: 'ten_a#d2', sk: '#', dueMs: NOON_MS + 1_000 },
  ]);
});
