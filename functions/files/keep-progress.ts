import type { World } from '../shared/world.ts';
import { saveProgress } from './block.store.ts';
import type { Block } from './block.ts';
import type { AlertFile } from './file.ts';

/** A block in the hands of a worker, which alone knows the outcomes of its last batch. */
interface Held {
  readonly file: AlertFile;
  readonly block: Block;
}

/**
 * Does what may fail, and then first stores what is known of the block: whoever has it next would
 * send the last batch once more. Throws what was thrown, or what kept it from storing that.
 */
export async function keepProgress<Done>(
  work: () => Promise<Done>,
  { file, block }: Held,
  { db }: Pick<World, 'db'>,
): Promise<Done> {
  try {
    return await work();
  } catch (error) {
    await db.commit([saveProgress(file, block)]);
    throw error;
  }
}
