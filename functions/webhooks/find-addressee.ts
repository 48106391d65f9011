import type { World } from '../shared/world.ts';
import { findEndpoint } from './endpoint.store.ts';

/** Whether the tenant has the endpoint that an event is addressed to. */
export async function hasEndpoint(
  { db }: Pick<World, 'db'>,
  tenantId: string,
  endpointId: string,
): Promise<boolean> {
  return (await findEndpoint(db, tenantId, endpointId)) !== undefined;
}
