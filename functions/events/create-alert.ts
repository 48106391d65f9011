import { route } from '../shared/http/route.ts';
import type { World } from '../shared/world.ts';
import { createAlertRoute } from './contract.ts';
import type { EventWish } from './event-draft.ts';
import { type Addressees, findAddressees } from './find-addressees.ts';
import { storeEvent } from './store-event.ts';
import type { DailyEvents } from './take-day.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db'> & Addressees & DailyEvents;

/** POST /v1/alerts: an event of type `alert`, in the form that the alerts of files have. */
export const createAlert = route(createAlertRoute, async (call, world: Needs) => {
  const { endpointId, userId, message } = call.body;
  // Receivers read the columns of a file's alert: here there are none, but they can be read.
  const data = JSON.stringify({ userId, message, columns: {} });
  const wish: EventWish = { type: 'alert', data, endpointId };
  const sending = { ...call, scope: 'alerts' as const };
  await findAddressees(world, sending, [{ wish, pointer: '' }]);
  return storeEvent(world, wish, sending);
});
