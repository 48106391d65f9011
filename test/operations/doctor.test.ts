import { describe, expect, it } from 'vitest';
import { askDue, askOutbox } from '../../bin/ops/doctor-tables.ts';
import { lookAt } from '../../bin/ops/symptom.ts';
import { insertEvent, OUTBOX_SHARDS } from '../../functions/events/event.store.ts';
import { Problem } from '../../functions/shared/problem.ts';
import { minutePartition, sortableMs } from '../../functions/shared/sortable.ts';
import { MINUTE_MS } from '../../functions/shared/units.ts';
import type { Item, Page, Query } from '../../functions/shared/world.ts';
import { DUE_SHARDS } from '../../functions/timers/due.ts';
import { putSweep } from '../../functions/timers/sweep.store.ts';
import { putWatches } from '../../functions/webhooks/outbox-watch.store.ts';
import { newTenant, testWorld } from '../support/world.ts';

/** A reconciler that has not come back to so many minutes, with one event in the oldest. */
async function seenWith(minutes: number): Promise<string | undefined> {
  const world = await testWorld();
  const occurredAtMs = world.clock.nowMs();
  const event = { id: world.ids.next('evt'), tenantId: newTenant(world), type: 'order.paid' };
  await world.db.commit([insertEvent({ ...event, occurredAtMs, data: '{}' })]);
  const oldest = Math.floor(occurredAtMs / MINUTE_MS);
  const open = Array.from({ length: minutes }, (_, n) => ({ minute: oldest + n, againMs: 0 }));
  const through = oldest + minutes;
  await world.db.commit([putWatches({ relay: { through, open }, recheck: undefined })]);
  const symptoms = await askOutbox(world.db, (through + 2) * MINUTE_MS);
  return symptoms.find((it) => it.about === 'unrelayed events')?.seen;
}

it('counts the events that nobody has relayed', async () => {
  expect(await seenWith(60)).toMatch(/^1, oldest /);
});

it('says so where it has not looked at all of them', async () => {
  expect(await seenWith(61)).toMatch(/^at least 1, oldest /);
});

describe('after a long outage', () => {
  /** As if each shard of a minute had thirteen pages full of this row. */
  async function flooded(minute: number, row: Item) {
    const world = await testWorld();
    const ofMinute = minutePartition(minute, 0).slice(0, -1);
    const query = async (asked: Query): Promise<Page> => {
      if (!asked.pk.startsWith(ofMinute)) return world.db.query(asked);
      const page = Number(asked.after?.page ?? 0) + 1;
      const items = Array.from({ length: 1_000 }, () => row);
      return { items, ...(page < 13 && { next: { page } }) };
    };
    return { ...world.db, query };
  }
  const nowMs = Date.parse('2026-11-22T10:00:30Z');
  const minute = Math.floor(nowMs / MINUTE_MS) - 8;

  it('comes to an end with what is due, and says since when', async () => {
    const dueSk = `${sortableMs(minute * MINUTE_MS)}#x`;
    const db = await flooded(minute, { pk: 'x', sk: 'x', dueSk });
    const watch = { through: minute + 7, open: [{ minute, againMs: 0 }] };
    await db.commit([putSweep('tasks', { watch, seenMs: nowMs, stops: {}, busy: [] })]);

    const [symptom] = await askDue(db, { table: 'tasks', nowMs });

    expect(symptom?.seen).toBe(`at least ${DUE_SHARDS * 10_000} overdue, oldest 9 min`);
  });

  it('comes to an end with events that are not relayed, and says since when', async () => {
    const event = { id: 'evt_1', tenant: 'ten_1', type: 'a.b', data: '{}' };
    const db = await flooded(minute, { ...event, ts: minute * MINUTE_MS });
    const relay = { through: minute + 6, open: [{ minute, againMs: 0 }] };
    await db.commit([putWatches({ relay, recheck: undefined })]);

    const symptoms = await askOutbox(db, nowMs);

    const { seen } = symptoms.find((it) => it.about === 'unrelayed events') ?? {};
    expect(seen).toBe(`at least ${OUTBOX_SHARDS * 10_000}, oldest 9 min`);
  });
});

describe('what does not answer', () => {
  it('is a line of its own, which calls for a person', async () => {
    const look = async () => {
      throw new Problem('unavailable', { detail: 'Retry with the same Idempotency-Key.' });
    };
    expect(await lookAt({ about: 'dead letters', look })).toEqual([
      {
        about: 'dead letters',
        seen: 'could not be asked: A dependency does not answer, try again',
        advice: expect.stringContaining('"A function fails"'),
      },
    ]);
  });
});
