import type { World } from '../shared/world.ts';
import { careOf } from './arrival.ts';
import { deliveryKey, toDelivery } from './delivery.store.ts';
import type { Delivery } from './delivery.ts';
import { type DeliveryName, namesOf } from './delivery-name.ts';

/** What an event's relay has to do for one delivery. `unreadable` is for a person to repair. */
export interface Care {
  readonly care: ReturnType<typeof careOf> | 'unreadable';
  readonly delivery?: Delivery | undefined;
}

/** Whether each of these is looked after, in their order. A damaged record harms no other. */
export async function findCares(
  { clock, db, log }: Pick<World, 'clock' | 'db' | 'log'>,
  names: readonly DeliveryName[],
): Promise<Care[]> {
  const keys = names.map((name) => ({ table: 'deliveries' as const, ...deliveryKey(name) }));
  const items = await db.getAll(keys);
  return names.map((name, index) => {
    try {
      const item = items[index];
      const delivery = item && toDelivery(item);
      return { care: careOf(delivery, clock.nowMs()), delivery };
    } catch (error) {
      log.error('delivery.unreadable', { ...namesOf(name), error });
      return { care: 'unreadable' };
    }
  });
}
