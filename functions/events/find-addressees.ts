import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import type { EventWish } from './event-draft.ts';
import { isRepeated, type Keyed } from './find-repetition.ts';

/** Endpoints belong to a room that builds on this one. */
export interface Addressees {
  /** Whether a tenant has this endpoint. */
  hasEndpoint(tenantId: string, endpointId: string): Promise<boolean>;
}

/**
 * An event for an endpoint that is not there would reach nobody, and nobody would notice. Refuses
 * with `not_found`, and names each of them by its pointer. A repetition is not refused: the
 * endpoint was there when it mattered.
 */
export async function findAddressees(
  world: Addressees & Pick<World, 'db' | 'ids'>,
  sending: Keyed,
  wishes: readonly { readonly wish: Pick<EventWish, 'endpointId'>; readonly pointer: string }[],
): Promise<void> {
  const asked = new Set(wishes.flatMap(({ wish }) => wish.endpointId ?? []));
  const found = await Promise.all(
    [...asked].map(async (id) => ((await world.hasEndpoint(sending.tenantId, id)) ? [] : [id])),
  );
  const missing = new Set(found.flat());
  const errors = wishes.flatMap(({ wish: { endpointId = '' }, pointer }) =>
    missing.has(endpointId)
      ? [
          {
            pointer: `${pointer}/endpointId`,
            code: 'not_found',
            detail: `There is no endpoint ${endpointId}.`,
          },
        ]
      : [],
  );
  const [first] = errors;
  if (!first || (await isRepeated(world, sending))) return;
  throw new Problem('not_found', { detail: first.detail, errors });
}
