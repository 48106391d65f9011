import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findPace, keepAhead } from './pace.store.ts';
import { limitOf, NOTICE_MS, type Paced, rateAt, type Slot, slotAhead } from './pace.ts';
import { takeKnownSlots } from './take-slots.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** Many may ask at the same moment, and each but one loses against another. */
const ROUNDS = 12;
const PAUSE = { baseMs: 10, capMs: SECOND_MS };

/**
 * A slot for what waits for no backlog: a probe, or what a person wants to be sent now. It is the
 * next free one, where that is some seconds away at most. Otherwise it is a slot that others have
 * to leave: they hear of it in time, and take another one. So a limit is kept all the same. Without
 * a limit it is now, or the end of the receiver's block. Refused with `busy` when others are always
 * quicker.
 */
export async function takeSlotAhead(world: Needs, endpoint: Paced): Promise<Slot> {
  const { clock, db, ids } = world;
  for (let round = 0; round < ROUNDS; round += 1) {
    const pace = await findPace(db, endpoint);
    const nowMs = clock.nowMs();
    const { version, tatUs = 0, blockedUntilMs = 0 } = pace;
    const perSecond = rateAt(limitOf(endpoint, pace), pace, nowMs);
    if (perSecond === undefined) return { atMs: Math.max(nowMs, blockedUntilMs), version };

    const nearMs = Math.max(nowMs + NOTICE_MS, blockedUntilMs);
    if (tatUs / SECOND_MS <= nearMs) {
      const slots = await takeKnownSlots(world, { endpoint, pace }, 1);
      const [atMs = nowMs] = slots.slotsMs;
      // Others that asked at the same moment may have got the near ones.
      if (atMs <= nearMs) return { atMs, version: slots.version };
      continue;
    }
    const { slotMs, ahead } = slotAhead(pace, perSecond, nowMs);
    const commit = await db.commit([keepAhead(endpoint, pace, ahead)]);
    if (commit.ok) return { atMs: slotMs, version };
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
  }
  throw new Problem('busy', { detail: 'Too many senders take slots of one endpoint.' });
}
