import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Delivery } from './delivery.ts';
import { findWanted, type WantedPage } from './find-wanted.ts';
import { afterStep, finish, giveBack, type Release, STEP_MAX } from './release.ts';
import { saveStep } from './save-delivery.ts';
import { tellOrigin } from './settle-delivery.ts';
import { cancel } from './waiting.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/** One step for an endpoint that is deleted: what was held or put off is sent to nobody. */
export async function endReleaseStep(release: Release, world: Needs): Promise<Release> {
  if (release.kind === 'replay') return finish(release, 'cancelled');
  const page = await findWanted(release, undefined, { count: STEP_MAX, world });
  await Promise.all(page.rows.map((before) => change(before, cancel(before), world)));
  return after(release, page, { moved: page.rows.length, world });
}

/**
 * One step for a replay that was cancelled: what it has taken up and nobody has claimed becomes
 * what it was before. The replay has not sent that.
 */
export async function endReplayStep(release: Release, world: Needs): Promise<Release> {
  const wants = { ...release.wants, statuses: ['waiting', 'held'] as const };
  const search = { ...release, wants, paceVersion: undefined };
  const page = await findWanted(search, undefined, { count: STEP_MAX, world });
  const changed = await Promise.all(
    page.rows.map(async (before) => {
      const was = giveBack(before, release);
      return was !== undefined && change(before, was, world);
    }),
  );
  const moved = changed.filter((it) => it).length;
  return after(release, { ...page, rows: [] }, { moved: -moved, world });
}

async function change(before: Delivery, next: Delivery, world: Needs): Promise<boolean> {
  const step = await saveStep(world, { before, after: next });
  if (step.won) await tellOrigin(step.delivery, world);
  return step.won;
}

function after(
  release: Release,
  { rows, cursor, isEnd }: WantedPage,
  { moved, world }: { readonly moved: number; readonly world: Needs },
): Release {
  const nowMs = world.clock.nowMs();
  const { perSecond } = release;
  const counts = { matched: rows.length, sent: moved };
  return afterStep(
    release,
    { cursor, isEnd, ...counts, perSecond, nextMs: nowMs + SECOND_MS },
    nowMs,
  );
}
