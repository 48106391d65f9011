import type * as z from 'zod';
import { deriveId } from '../shared/ids/derive.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { toHold } from './hold.store.ts';
import { type HoldMessage, holdMessage } from './hold-message.ts';
import { releaseHold } from './release-hold.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'queues' | 'meters'>;

/** A message may come early by the part of a second that it cannot carry, and one more. */
const EARLY_MS_MAX = 3 * SECOND_MS;
const BUSY_MS = { min: SECOND_MS, max: 5 * SECOND_MS };

/**
 * Lets the money of a hold go at its `expiresAt`, never before. Safe to repeat: it is resolved
 * once. Where others are in the way, the same message comes again.
 */
export async function expireHold(
  message: z.output<typeof HoldMessage>,
  world: Needs,
): Promise<void> {
  const { clock, db, log } = world;
  const item = await db.get('ledger', { pk: message.pk, sk: '#' });
  const hold = item && toHold(item);
  if (hold?.status !== 'pending' || hold.expiresAtMs === undefined) return;
  const aheadMs = hold.expiresAtMs - clock.nowMs();
  // So much too early is a clock that is wrong: the sweeper comes back to it.
  if (aheadMs > EARLY_MS_MAX) return;
  if (aheadMs > 0) await clock.sleep(aheadMs);

  const { tenantId, id: holdId, hops } = hold;
  const id = deriveId('rel', tenantId, 'expiry', holdId);
  try {
    await releaseHold(world, { id, tenantId, holdId, status: 'expired', hops });
    log.info('hold.expired', { tenantId, holdId });
  } catch (error) {
    const code = error instanceof Problem ? error.code : undefined;
    if (code === 'busy') await sendAgain(message, world);
    else if (code !== 'hold_resolved') throw error;
  }
}

/** Not by failing: a message that fails often ends among the dead letters. */
async function sendAgain(
  message: z.output<typeof HoldMessage>,
  { clock, ids, queues }: Needs,
): Promise<void> {
  const waitMs = BUSY_MS.min + ids.random() * (BUSY_MS.max - BUSY_MS.min);
  await queues.send('hold-expiry', [holdMessage(message, clock.nowMs() + waitMs)]);
}
