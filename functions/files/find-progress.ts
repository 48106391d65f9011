import type { World } from '../shared/world.ts';
import { eachBlock } from './block.store.ts';
import { outcomesOf } from './block.ts';
import { type FileName, findFile } from './file.store.ts';
import { type AlertFile, withProgress } from './file.ts';

type Needs = Pick<World, 'db'>;

/** How often to look again when a block was finished between the two looks. */
const LOOKS_MAX = 5;

/**
 * The file with its unfinished blocks counted in, and with the floor that these show. A block that
 * is finished between the look at the file and the look at its blocks would be in neither, so the
 * file is looked at once more.
 */
export async function findProgress({ db }: Needs, name: FileName): Promise<AlertFile | undefined> {
  let file = await findFile(db, name);
  for (let look = 1; file && hasOpenBlocks(file); look += 1) {
    let progressed = file;
    let { floor } = file;
    for await (const block of eachBlock(db, name, floor)) {
      if (!block.finished) progressed = withProgress(progressed, outcomesOf(block));
      else if (block.number === floor) floor += 1;
    }
    const after = await findFile(db, name);
    if (after?.pending === file.pending || look === LOOKS_MAX) return { ...progressed, floor };
    file = after;
  }
  return file;
}

function hasOpenBlocks({ state, closed }: AlertFile): boolean {
  return state === 'delivering' || state === 'paused' || (state === 'cancelled' && !closed);
}
