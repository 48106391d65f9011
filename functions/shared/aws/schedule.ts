import middy from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import { SECOND_MS } from '../units.ts';
import type { World } from '../world.ts';

/** How long one tick may take. */
export interface TickTime {
  /** When to begin nothing new, in milliseconds since 1970: Lambda kills it soon after. */
  readonly stopMs: number;
}

/** What was begun has this time left to end, and the tick to say how far it has come. */
const ENDING_MS = 10 * SECOND_MS;

/**
 * A worker that the clock calls. A tick that throws is an error of the function, with its alarm.
 */
export function schedule<Needs extends Pick<World, 'clock'>>(
  world: Needs,
  tick: (world: NoInfer<Needs>, time: TickTime) => Promise<unknown>,
) {
  return middy<ScheduledEvent, void>().handler(async (_event, context: Context) => {
    const leftMs = context.getRemainingTimeInMillis();
    await tick(world, { stopMs: world.clock.nowMs() + leftMs - ENDING_MS });
  });
}
