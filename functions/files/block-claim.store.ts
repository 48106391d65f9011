import { SECOND_MS } from '../shared/units.ts';
import type { Write } from '../shared/world.ts';
import { blockKey } from './block.store.ts';
import type { Block } from './block.ts';
import type { AlertFile } from './file.ts';

/** A message comes early by the part of a second that it cannot carry, and clocks differ. */
const EARLY_MS = 5 * SECOND_MS;

/**
 * Gives the block to the worker that is named in it. Refused when it is finished, another worker
 * may still be alive, or it rests and nobody has woken it: then its own message is on its way, and
 * this one is left over from before. The commit answers with the block as it is then.
 */
export function claimBlock(
  file: AlertFile,
  block: Block,
  { nowMs, woken = false }: { readonly nowMs: number; readonly woken?: boolean },
): Write {
  const free = 'attribute_not_exists(#lease) OR #lease < :now';
  const rested = 'attribute_not_exists(notBefore) OR notBefore <= :soon';
  return {
    kind: 'update',
    table: 'files',
    key: blockKey({ tenantId: file.tenantId, fileId: file.id }, block.number),
    update: 'SET v = :v, n = :n, #at = :now, #lease = :lease, #token = :token REMOVE notBefore',
    answersItem: true,
    condition: `attribute_not_exists(finished) AND (${free})${woken ? '' : ` AND (${rested})`}`,
    names: NAMES,
    values: {
      ':v': 1,
      ':n': block.users,
      ':lease': block.leaseMs,
      ':token': block.token,
      ':now': nowMs,
      ...(!woken && { ':soon': nowMs + EARLY_MS }),
    },
  };
}

const NAMES = { '#lease': 'lease', '#token': 'token', '#at': 'at' };
