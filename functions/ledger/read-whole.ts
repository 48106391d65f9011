import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';

const TRIES_MAX = 4;
/** Longer than one commit takes to show in all of its items. */
const PAUSE_MS = 50;

/** Waits until a commit that may show in a part of its items shows in all of them. */
export async function letShow({ clock }: Pick<World, 'clock'>): Promise<void> {
  await clock.sleep(PAUSE_MS);
}

/**
 * What a commit has left that shows in one of its items already: reads again while the others do
 * not, where `read` answers undefined. Refuses with `busy` what does not show at all.
 */
export async function readWhole<Found>(
  world: Pick<World, 'clock'>,
  read: () => Promise<Found | undefined>,
): Promise<Found> {
  for (let tries = 1; ; tries += 1) {
    const found = await read();
    if (found !== undefined) return found;
    if (tries === TRIES_MAX) throw new Problem('busy');
    await letShow(world);
  }
}
