import { route } from '../shared/http/route.ts';
import { Problem } from '../shared/problem.ts';
import type { World } from '../shared/world.ts';
import { eachBlock } from './block.store.ts';
import { outcomesOf } from './block.ts';
import { getFileRoute } from './contract.ts';
import { type FileName, findFile } from './file.store.ts';
import { type AlertFile, withProgress } from './file.ts';
import { fileView } from './file-view.ts';
import { signUpload } from './sign-upload.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db'>;

/** How often to look again when a block was finished between the two looks. */
const LOOKS_MAX = 5;

/** GET /v1/files/{id}. The counts include the blocks that are under way. */
export const getFile = route(getFileRoute, async ({ tenantId, params }, world: Needs) => {
  const file = await findWithProgress(world, { tenantId, fileId: params.id });
  if (!file) throw new Problem('not_found');
  return { body: fileView(file, await signUpload(world, file)) };
});

/**
 * The file with its unfinished blocks counted in. A block that is finished between the look at
 * the file and the look at its blocks would be in neither, so the file is looked at once more.
 */
async function findWithProgress({ db }: Needs, name: FileName): Promise<AlertFile | undefined> {
  let file = await findFile(db, name);
  for (let look = 1; file?.state === 'delivering'; look += 1) {
    const progressed = await withOpenBlocks(db, name, file);
    const after = await findFile(db, name);
    if (after?.pending === file.pending || look === LOOKS_MAX) return progressed;
    file = after;
  }
  return file;
}

async function withOpenBlocks(
  db: Needs['db'],
  name: FileName,
  file: AlertFile,
): Promise<AlertFile> {
  let progressed = file;
  for await (const block of eachBlock(db, name, file.floor)) {
    if (!block.finished) progressed = withProgress(progressed, outcomesOf(block));
  }
  return progressed;
}
