import type { Db } from '../../functions/shared/world.ts';
import type { RateLimit } from '../../functions/tenants/rate-limit.ts';
import { type TakeToken, type Turn, tokenTaker } from '../../functions/tenants/take-token.ts';
import { NOON_MS, type TestWorld } from '../support/world.ts';
import { VirtualTime } from './virtual-time.ts';

/** What several instances of a Lambda over one table let through. */
export interface Fleet {
  /** The instance dies, and with it what it has reserved; another one takes its place. */
  kill(instance: number): void;
  /** When requests were let through. */
  readonly admittedMs: number[];
  readonly refusedMs: number[];
  /** Writes that the table took, and those that it refused. */
  readonly writes: { taken: number; refused: number };
}

/** One that is asked once at a time, or many times at one time. */
export interface CalmFleet extends Fleet {
  /** A request at this time, at this instance. */
  ask(atMs: number, instance: number): Promise<Turn>;
}

/** One whose requests come while others wait for the table. */
export interface BusyFleet extends Fleet {
  /** By how much the clock of each instance is ahead; behind when negative. */
  readonly skewsMs: number[];
  /** What the answers tell of what is left, and when they do. */
  readonly told: { readonly atMs: number; readonly remaining: number }[];
  readonly lines: TestWorld['lines'];
  /** How long each request waited for its answer. */
  readonly waitedMs: number[];
  nowMs(): number;
  /** Comes back when all that came in this time have their answers. */
  load(load: Load): Promise<void>;
}

interface Load {
  readonly perSecond: number;
  readonly seconds: number;
  /** At the same distance from each other, and not at random moments. */
  readonly evenly?: boolean;
}

export interface Size {
  readonly instances: number;
  /** How long the table takes for a write: at least and at most. */
  readonly latencyMs: readonly [min: number, max: number];
}

interface Parts extends Fleet {
  /** Takes a token at this instance. */
  take(world: TestWorld, instance: number): Promise<Turn>;
  counted(db: Db): Db;
}

function partsOf(world: TestWorld, limit: RateLimit, size: number): Parts {
  const name = world.ids.next('key');
  const takers = Array.from({ length: size }, tokenTaker);
  const writes = { taken: 0, refused: 0 };
  return {
    ...{ writes, admittedMs: [], refusedMs: [] },
    kill: (instance) => {
      takers[instance] = tokenTaker();
    },
    take: (its, instance) => (takers[instance] as TakeToken)(its, name, limit),
    counted: (db) => ({
      ...db,
      async commit(items) {
        const commit = await db.commit(items);
        writes[commit.ok ? 'taken' : 'refused'] += 1;
        return commit;
      },
    }),
  };
}

export function fleetOf(world: TestWorld, limit: RateLimit, size: number): CalmFleet {
  const parts = partsOf(world, limit, size);
  const counted = { ...world, db: parts.counted(world.db) };
  return {
    ...parts,
    async ask(atMs, instance) {
      world.clock.set(atMs);
      const turn = await parts.take(counted, instance);
      (turn.isFree ? parts.admittedMs : parts.refusedMs).push(atMs);
      return turn;
    },
  };
}

/** In virtual time from noon on, and with the same numbers in each run. */
export function busyFleetOf(
  world: TestWorld,
  limit: RateLimit,
  { instances, latencyMs }: Size,
): BusyFleet {
  const parts = partsOf(world, limit, instances);
  const time = new VirtualTime(NOON_MS);
  const random = seeded(7);
  const skewsMs = Array<number>(instances).fill(0);
  const lines: TestWorld['lines'] = [];
  const told: BusyFleet['told'] = [];
  const waitedMs: number[] = [];
  const log = (event: string, fields = {}) => void lines.push({ event, ...fields });
  const db = parts.counted(slow(world.db, time, () => between(latencyMs, random)));
  const worlds = skewsMs.map((_, instance) => {
    const nowMs = () => Math.floor(time.nowMs() + (skewsMs[instance] ?? 0));
    return {
      ...world,
      db,
      clock: { ...world.clock, nowMs },
      log: { info: log, warn: log, error: log },
    };
  });

  async function ask(instance: number): Promise<void> {
    const fromMs = time.nowMs();
    const { isFree, remaining } = await parts.take(worlds[instance] as TestWorld, instance);
    (isFree ? parts.admittedMs : parts.refusedMs).push(time.nowMs());
    if (isFree) told.push({ atMs: time.nowMs(), remaining });
    waitedMs.push(time.nowMs() - fromMs);
  }

  return {
    ...parts,
    ...{ skewsMs, told, lines, waitedMs },
    nowMs: () => time.nowMs(),
    async load(load) {
      const startMs = time.nowMs();
      const asked: Promise<void>[] = [];
      const come = async () => {
        for (const ms of timesOf(load, random)) {
          await time.until(startMs + ms);
          asked.push(ask(Math.floor(random() * instances)));
        }
        await time.until(startMs + load.seconds * 1_000);
      };
      const coming = come();
      await time.run();
      await coming;
      await Promise.all(asked);
    },
  };
}

/** The real table behind a wire: half of the time goes by before it has the write. */
function slow(db: Db, time: VirtualTime, latencyMs: () => number): Db {
  return {
    ...db,
    async commit(items) {
      const halfMs = latencyMs() / 2;
      await time.sleep(halfMs);
      const commit = await time.hold(db.commit(items));
      await time.sleep(halfMs);
      return commit;
    },
  };
}

function timesOf({ perSecond, seconds, evenly }: Load, random: () => number): number[] {
  const count = Math.floor(perSecond * seconds);
  const times = Array.from({ length: count }, (_, n) => (evenly ? n / count : random()));
  return times.map((share) => share * seconds * 1_000).sort((a, b) => a - b);
}

function between([min, max]: Size['latencyMs'], random: () => number): number {
  return min + random() * (max - min);
}

/** The most that was let through in any time so long. */
export function busiest(admittedMs: readonly number[], windowMs: number): number {
  let from = 0;
  let most = 0;
  admittedMs.forEach((atMs, at) => {
    while (atMs - (admittedMs[from] ?? 0) >= windowMs) from += 1;
    most = Math.max(most, at - from + 1);
  });
  return most;
}

/** The same numbers in each run, uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
