import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { DeliveryName } from './delivery-name.ts';
import type { Slot } from './pace.ts';

/** The delivery that a message is about, and the slot that it has. */
interface Asked {
  readonly name: DeliveryName;
  readonly slot?: Slot | undefined;
}

/**
 * Sends a message on to the slow lane: this receiver lets everybody wait until the time is up, and
 * the fast one is for others. Refused with `unavailable` when the queue takes nothing.
 */
export async function changeLane(
  order: object,
  { name, slot }: Asked,
  { queues }: Pick<World, 'queues'>,
): Promise<void> {
  const body = { v: 1, ...order, lane: undefined };
  const message = { body, group: name.endpointId, ...(slot && { atMs: slot.atMs }) };
  const refused = await queues.send('delivery-slow', [message]);
  if (refused.length > 0) throw new Problem('unavailable');
}
