import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { findAnySource } from './source.store.ts';
import type { Source } from './source.ts';

type Needs = Pick<World, 'clock' | 'db'>;

/** The sources that an instance knows. */
export interface KnownSources {
  /** At most 30 seconds old; that there is none, 5 seconds. */
  find(world: Needs, sourceId: string): Promise<Source | undefined>;
  /** As it is now, unless it was read within the last second: then undefined. */
  findAgain(world: Needs, sourceId: string): Promise<Source | undefined>;
}

const KNOWN_MS = 30 * SECOND_MS;
/** Whoever sends many bad signatures does not make us read as often. */
const AGAIN_MS = SECOND_MS;
/** Nobody can ask for a source before it is made: its id is a secret of chance until then. */
const UNKNOWN_MS = 5 * SECOND_MS;
const SOURCES_MAX = 10_000;

/** Remembers sources, and which ids are none. A clock that went backward makes it read again. */
export function rememberSources(): KnownSources {
  const known = new Map<string, { readonly source: Source; readonly readAtMs: number }>();
  const unknown = new Map<string, number>();

  const isSince = (sinceMs: number | undefined, ms: number, { clock }: Needs) => {
    const ageMs = clock.nowMs() - (sinceMs ?? -Infinity);
    return ageMs >= 0 && ageMs < ms;
  };
  const isWithin = (sourceId: string, ms: number, world: Needs) =>
    isSince(known.get(sourceId)?.readAtMs, ms, world);
  async function read(world: Needs, sourceId: string): Promise<Source | undefined> {
    const readAtMs = world.clock.nowMs();
    const source = await findAnySource(world.db, sourceId);
    known.delete(sourceId);
    if (known.size >= SOURCES_MAX) known.clear();
    if (source) known.set(sourceId, { source, readAtMs });
    // Apart from those, so that ids which somebody has made up push none of them out.
    if (unknown.size >= SOURCES_MAX) unknown.clear();
    if (!source) unknown.set(sourceId, readAtMs);
    return source;
  }
  return {
    async find(world, sourceId) {
      if (isWithin(sourceId, KNOWN_MS, world)) return known.get(sourceId)?.source;
      if (isSince(unknown.get(sourceId), UNKNOWN_MS, world)) return undefined;
      return read(world, sourceId);
    },
    findAgain: async (world, sourceId) =>
      isWithin(sourceId, AGAIN_MS, world) ? undefined : read(world, sourceId),
  };
}
