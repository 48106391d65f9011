import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { insertShardLines, lineKey, putLine } from './statement.store.ts';
import { hasStanding, type StatementLine } from './statement.ts';

type Needs = Pick<World, 'clock' | 'db' | 'ids'>;

/** Connections to DynamoDB that one function has. */
const AT_ONCE = 50;
/** Quota of TransactWriteItems, less the total. */
const SHARD_LINES_MAX = 99;
const TRIES_MAX = 10;
const BACKOFF = { baseMs: 10, capMs: 400 };

/**
 * Stores these lines, in any order and any number of times: each is there once, and counts once in
 * the total of its shard. Throws when not all of them could be stored; then some are.
 */
export async function saveLines(world: Needs, lines: readonly StatementLine[]): Promise<void> {
  const unique = [...new Map(lines.map((it) => [keyText(it), it])).values()];
  const puts = unique.filter(hasStanding).map(putLine);
  const shards = Map.groupBy(
    unique.filter((it) => !hasStanding(it)),
    (it) => lineKey(it).pk,
  );
  const works = [
    ...puts.map((put) => () => world.db.commit([put])),
    ...[...shards.values()].map((shard) => () => saveShard(world, shard)),
  ];
  for (let start = 0; start < works.length; start += AT_ONCE) {
    await Promise.all(works.slice(start, start + AT_ONCE).map((work) => work()));
  }
}

function keyText(line: StatementLine): string {
  const { pk, sk } = lineKey(line);
  return `${pk} ${sk}`;
}

async function saveShard(world: Needs, lines: readonly StatementLine[]): Promise<void> {
  for (let start = 0; start < lines.length; start += SHARD_LINES_MAX) {
    await insertLines(world, lines.slice(start, start + SHARD_LINES_MAX));
  }
}

/** Lines that are there already have been counted; the others are, together with the total. */
async function insertLines(world: Needs, lines: readonly StatementLine[]): Promise<void> {
  let left = lines;
  for (let tries = 0; left.length > 0; tries += 1) {
    if (tries === TRIES_MAX) {
      throw new Problem('busy', { detail: 'Others are writing the same total.' });
    }
    const commit = await world.db.commit(insertShardLines(left));
    if (commit.ok) return;
    const codes = commit.reasons.map((it) => it.code);
    if (codes.includes('other')) throw new Error(`lines were refused for ${codes.join(', ')}`);
    left = left.filter((_line, index) => codes[index] !== 'condition');
    if (codes.includes('condition')) continue;
    // Full jitter: those who collided do not collide again in step.
    await world.clock.sleep(fullJitterMs(tries, BACKOFF, world.ids.random()));
  }
}
