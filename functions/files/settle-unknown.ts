import type { World } from '../shared/world.ts';
import { type Block, unknownPlaces, withResults } from './block.ts';
import type { AlertFile } from './file.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import type { BlockUser } from './read-block-users.ts';

/**
 * The block with what can be known of the users whom a dead worker may have alerted. It recorded
 * a failed one as a delivery before the block heard of it: that delivery goes its way, and a copy
 * beside it could go out after its success. The others are `uncertain` where the file leaves the
 * unknown to a person, and else stay as they are, to be sent once more. Without the users there is
 * no record that could be looked at.
 */
export async function settleUnknown(
  block: Block,
  { file, users }: { readonly file: AlertFile; readonly users: readonly BlockUser[] | undefined },
  { db }: Pick<World, 'db'>,
): Promise<Block> {
  const places = unknownPlaces(block);
  if (places.length === 0) return block;

  const deliveries = users ? await findAlertDeliveries(db, file, { users, places }) : [];
  const retried = places.filter((_, i) => deliveries[i] !== undefined);
  const others = places.filter((_, i) => deliveries[i] === undefined);
  const uncertain = file.onUnknown === 'stop' ? others : [];
  return withResults(block, { delivered: [], retried, uncertain, unsent: [] });
}
