import type { RateLimit } from '../../functions/tenants/rate-limit.ts';
import { type Turn, tokenTaker } from '../../functions/tenants/take-token.ts';
import type { TestWorld } from '../support/world.ts';

/** Several instances of a Lambda over one table, and what they let through. */
export interface Fleet {
  /** By how much the clock of each instance is ahead; behind when negative. */
  readonly skewsMs: number[];
  /** A request at this time, at this instance. */
  ask(atMs: number, instance: number): Promise<Turn>;
  /** The instance dies, and with it what it has reserved; another one takes its place. */
  kill(instance: number): void;
  /** When requests were let through. */
  readonly admittedMs: number[];
  readonly refusedMs: number[];
  /** Writes that the table took, and those that it refused. */
  readonly writes: { taken: number; refused: number };
}

export function fleetOf(world: TestWorld, limit: RateLimit, size: number): Fleet {
  const name = world.ids.next('key');
  const takers = Array.from({ length: size }, tokenTaker);
  const skewsMs = takers.map(() => 0);
  const writes = { taken: 0, refused: 0 };
  const counted: TestWorld = {
    ...world,
    db: {
      ...world.db,
      async commit(items) {
        const commit = await world.db.commit(items);
        writes[commit.ok ? 'taken' : 'refused'] += 1;
        return commit;
      },
    },
  };
  const admittedMs: number[] = [];
  const refusedMs: number[] = [];
  return {
    skewsMs,
    admittedMs,
    refusedMs,
    writes,
    kill: (instance) => {
      takers[instance] = tokenTaker();
    },
    async ask(atMs, instance) {
      world.clock.set(atMs + (skewsMs[instance] ?? 0));
      const turn = await (takers[instance] as ReturnType<typeof tokenTaker>)(counted, name, limit);
      (turn.isFree ? admittedMs : refusedMs).push(atMs);
      return turn;
    },
  };
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
