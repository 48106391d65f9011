import type { Context, ScheduledEvent } from 'aws-lambda';
import { expect, it } from 'vitest';
import { schedule, type TickTime } from '../../../functions/shared/aws/schedule.ts';
import { NOON_MS, testClock } from '../../support/world.ts';

const EVENT = {} as ScheduledEvent;
const context = { getRemainingTimeInMillis: () => 54_900 } as Context;

it('tells a tick to stop ten seconds before it would be killed', async () => {
  const times: TickTime[] = [];
  const handler = schedule({ clock: testClock() }, async (_world, time) => times.push(time));
  await handler(EVENT, context);
  expect(times).toEqual([{ stopMs: NOON_MS + 44_900 }]);
});

it('fails when its tick does, so that its alarm rings', async () => {
  const handler = schedule({ clock: testClock() }, () => Promise.reject(new Error('outage')));
  await expect(handler(EVENT, context)).rejects.toThrow('outage');
});
