import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type DueTask, taskMessage } from './task-message.ts';

const PAUSE_MS = { min: SECOND_MS, max: 5 * SECOND_MS };
/** Quota of DelaySeconds. */
const DELAY_MS_MAX = 15 * MINUTE_MS;

/** When one comes again that could not be fired now. */
export function aLittleLaterMs({ clock, ids }: Pick<World, 'clock' | 'ids'>): number {
  return clock.nowMs() + PAUSE_MS.min + ids.random() * (PAUSE_MS.max - PAUSE_MS.min);
}

/** Sends each a message of its own. False where the queue did not take all of them. */
export async function sendAgain(
  tasks: readonly DueTask[],
  atMs: number,
  { clock, queues }: Pick<World, 'clock' | 'queues'>,
): Promise<boolean> {
  const latestMs = clock.nowMs() + DELAY_MS_MAX;
  const messages = tasks.map((it) => taskMessage(it, Math.min(atMs, latestMs)));
  const refused = await queues.send('tasks', messages).catch(() => [0]);
  return refused.length === 0;
}
