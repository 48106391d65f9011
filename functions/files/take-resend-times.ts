import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { filePaced, NO_PACE } from '../webhooks/pace.ts';
import { type Slots, takeKnownSlots, takeSlots } from '../webhooks/take-slots.ts';
import type { AlertFile } from './file.ts';

/** So many users of a file are to be sent again. */
export interface ResendOrder {
  readonly file: AlertFile;
  readonly endpoint: Endpoint;
  readonly count: number;
  /** Slots that a refused batch has left. */
  readonly spare: Slots;
}

/** Its message, and whoever takes that, need some time: who comes late has to line up again. */
const LEAD_MS = 2 * SECOND_MS;
/** For nobody. */
export const NO_SLOTS: Slots = { slotsMs: [], version: 0 };

/**
 * When users go who are sent again, one slot each: of the pace of their endpoint; or, in a file
 * with a limit of its own, of that file's. These take one of the endpoint's besides when theirs has
 * come: taken ahead, others of the endpoint would wait for nothing, and a limit that is raised
 * would not reach them.
 */
export async function takeResendTimes(
  { file, endpoint, count, spare }: ResendOrder,
  world: Pick<World, 'clock' | 'db'>,
): Promise<Slots> {
  if (count === 0) return NO_SLOTS;
  if (spare.slotsMs.length >= count) return spare;
  const { tenantId, id: fileId, ratePerSecond } = file;
  if (ratePerSecond === undefined) return takeSlots(world, endpoint, count);
  const fromMs = world.clock.nowMs() + LEAD_MS;
  const own = filePaced({ tenantId, fileId }, ratePerSecond);
  return takeKnownSlots(world, { endpoint: own, pace: NO_PACE, fromMs }, count);
}
