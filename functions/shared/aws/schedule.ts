import middy from '@middy/core';
import type { ScheduledEvent } from 'aws-lambda';
import type { World } from '../world.ts';

/**
 * A worker that the clock calls. A tick that throws is an error of the function, with its alarm.
 */
export function schedule<Needs extends Partial<World>>(
  world: Needs,
  tick: (world: NoInfer<Needs>) => Promise<unknown>,
) {
  return middy<ScheduledEvent, void>().handler(async () => {
    await tick(world);
  });
}
