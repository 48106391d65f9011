import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { rememberFor } from './remember-for.ts';
import { findTenant } from './tenant.store.ts';
import { limitsOf } from './tenant.ts';

/** What a tenant's endpoints have to heed. */
export interface EndpointTerms {
  /** How many it may have. */
  readonly max: number;
  /** Whether they are for trying things out. */
  readonly isTest: boolean;
}

/** Whether there is such a tenant. */
export async function isTenant({ db }: Pick<World, 'db'>, tenantId: string): Promise<boolean> {
  return (await findTenant(db, tenantId)) !== undefined;
}

/** What holds for the endpoints of this tenant. */
export async function findEndpointTerms(
  { db }: Pick<World, 'db'>,
  tenantId: string,
): Promise<EndpointTerms> {
  const tenant = await findTenant(db, tenantId);
  const { endpoints: max } = tenant?.limits ?? limitsOf({});
  return { max, isTest: tenant?.mode === 'test' };
}

const KNOWN_MS = 30 * SECOND_MS;

/**
 * How many events a tenant may have a day, as it was 30 seconds ago at most: for whoever acts for a
 * tenant without its key. Undefined where there is no such limit.
 */
export function dailyEventsReader(): (
  world: Pick<World, 'clock' | 'db'>,
  tenantId: string,
) => Promise<number | undefined> {
  const known = rememberFor(KNOWN_MS, async ({ db }: Pick<World, 'clock' | 'db'>, id) => ({
    dailyEvents: (await findTenant(db, id))?.limits.dailyEvents,
  }));
  return async (world, tenantId) => (await known(world, tenantId))?.dailyEvents;
}
