import { insertEvent } from '../events/event.store.ts';
import type { Cause } from '../events/event.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { assertSameRecord, openBooks, saveBooks } from './books.store.ts';
import { commitMoney } from './commit-money.ts';
import { findEnded, findHold, insertRelease, saveResolution } from './hold.store.ts';
import { type Hold, type Release, releaseMoney } from './hold.ts';
import { holdReleased } from './hold-view.ts';
import { readWhole } from './read-whole.ts';

type Needs = Pick<World, 'clock' | 'ids' | 'db' | 'log' | 'meters'>;

export interface ReleaseDraft
  extends Cause,
    Pick<Release, 'id' | 'tenantId' | 'holdId' | 'status' | 'fingerprint'> {}

interface Released {
  readonly hold: Hold;
  readonly replayed: boolean;
}

/**
 * Lets the money of a hold go: {record, account, hold, event} in one commit. Refuses with
 * `not_found`, with `hold_resolved`, and with `busy`; a repetition finds what the first one made.
 */
export async function releaseHold(world: Needs, draft: ReleaseDraft): Promise<Released> {
  const { tenantId, holdId } = draft;
  return commitMoney<Released>(world, async () => {
    const found = await findHold(world.db, tenantId, holdId);
    if (!found) throw new Problem('not_found');
    const terms = { recordId: draft.id, accountIds: [found.accountId] };
    const { earlier, books } = await openBooks(world.db, tenantId, terms);
    if (earlier) {
      assertSameRecord(earlier, draft);
      const hold = await readWhole(world, () => findEnded(world.db, found));
      return { done: { hold, replayed: true } };
    }
    const released = releaseMoney(found, draft, { books, nowMs: world.clock.nowMs() });
    const release = { ...released.release, eventId: world.ids.next('evt') };
    const event = holdReleased(released.hold, release, draft);
    const writes = [
      insertRelease(release),
      saveResolution(released.hold),
      // A frozen or closed account lets go as well.
      ...saveBooks(books, released.books, { inAnyStatus: true }),
      insertEvent(event),
    ];
    return { result: { hold: released.hold, replayed: false }, writes };
  });
}
