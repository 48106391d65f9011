import type { World } from '../shared/world.ts';

const THINGS_MAX = 10_000;

interface Memory<Thing> {
  readonly thing: Thing;
  readonly readAtMs: number;
}

/**
 * Finds things by name, and remembers those that exist for `ms`. The time counts from before the
 * look-up: an instance that was frozen in the middle of it holds nothing older than that. A clock
 * that went backward makes it look again.
 */
export function rememberFor<Needs extends Pick<World, 'clock'>, Thing>(
  ms: number,
  find: (world: Needs, name: string) => Promise<Thing | undefined>,
): (world: Needs, name: string) => Promise<Thing | undefined> {
  const memories = new Map<string, Memory<Thing>>();
  const isFresh = ({ readAtMs }: Memory<Thing>, nowMs: number) =>
    readAtMs <= nowMs && nowMs < readAtMs + ms;

  return async function lookUp(world, name): Promise<Thing | undefined> {
    const known = memories.get(name);
    if (known && isFresh(known, world.clock.nowMs())) return known.thing;

    memories.delete(name);
    const readAtMs = world.clock.nowMs();
    const thing = await find(world, name);
    if (thing === undefined) return undefined;
    if (memories.size >= THINGS_MAX) memories.clear();
    memories.set(name, { thing, readAtMs });
    return isFresh({ thing, readAtMs }, world.clock.nowMs()) ? thing : lookUp(world, name);
  };
}
