import { beforeAll, expect, it } from 'vitest';
import { insertEvent } from '../../../functions/events/event.store.ts';
import { notingEvents } from '../../../functions/shared/http/told-events.ts';
import { newTenant, type TestWorld, testWorld } from '../../support/world.ts';

let world: TestWorld;
beforeAll(async () => {
  world = await testWorld();
});

const newEvent = (tenantId: string) => ({
  ...{ id: world.ids.next('evt'), tenantId, type: 'a.b', data: 'null' },
  occurredAtMs: world.clock.nowMs(),
});

it('notes the events that are committed, ten at most, and no others', async () => {
  const trace: { events?: readonly string[] } = {};
  const { db } = notingEvents(world, trace);
  const events = Array.from({ length: 12 }, () => newEvent(newTenant(world)));
  const key = { pk: `${newTenant(world)}#I#1`, sk: '#', event: 'evt_of_a_key' };

  await db.commit([{ kind: 'put', table: 'outbox', item: key }, ...events.map(insertEvent)]);
  // Refused: it is there already.
  await db.commit(events.slice(11).map(insertEvent));

  expect(trace.events).toEqual(events.slice(0, 10).map((it) => it.id));
});

it('leaves a function alone that has no tables', () => {
  const doors = { clock: world.clock };
  expect(notingEvents(doors, {})).toBe(doors);
});
