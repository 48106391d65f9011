import type { World } from '../shared/world.ts';
import { findDeliveries } from '../webhooks/delivery.store.ts';
import type { Delivery } from '../webhooks/delivery.ts';
import type { AlertFile } from './file.ts';
import type { BlockUser } from './read-block-users.ts';
import { alertEventId } from './send-alert.ts';

/** What is on record of the users at these places of a block, in their order. */
export function findAlertDeliveries(
  db: World['db'],
  file: AlertFile,
  { users, places }: { readonly users: readonly BlockUser[]; readonly places: readonly number[] },
): Promise<(Delivery | undefined)[]> {
  const names = places.map((place) => ({
    tenantId: file.tenantId,
    endpointId: file.endpointId,
    eventId: alertEventId(file, users[place]?.userId ?? ''),
  }));
  return findDeliveries(db, names);
}
