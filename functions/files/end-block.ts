import { toInstant } from '../shared/wire.ts';
import type { World } from '../shared/world.ts';
import { finishBlock } from './block.store.ts';
import { type Block, outcomeAt, outcomesOf } from './block.ts';
import { blockMessage } from './block-message.ts';
import { commitOutcomes } from './commit-outcomes.ts';
import type { Job } from './deliver-block.ts';
import { resultsKey } from './file-keys.ts';
import { keepProgress } from './keep-progress.ts';
import type { BlockUser } from './read-block-users.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log' | 'queues'>;

/**
 * Ends a block whose users all had their first attempt: first its results, then one commit of
 * the block and the file's counts, then the message of the next block. A worker that dies in
 * between leaves nothing that the next one would count twice. Where the file cannot be counted, the
 * outcomes of the last batch are kept before that is told.
 */
export async function endBlock(job: Job, block: Block, world: Needs): Promise<void> {
  const { file, number } = job;
  const counted = await keepProgress(() => finish(job, block, world), { file, block }, world);
  world.log.info('file.block-ended', {
    tenant: file.tenantId,
    file: file.id,
    block: number,
    counted,
  });
  const next = number + file.window;
  if (counted && next < file.blocks) {
    await world.queues.send('file-blocks', [blockMessage(file, next)]);
  }
}

/** False when another worker has the block. */
async function finish(job: Job, block: Block, world: Needs): Promise<boolean> {
  const { file } = job;
  await storeResults(job, block, world);
  const name = { tenantId: file.tenantId, fileId: file.id };
  const order = { change: outcomesOf(block), blockWrite: finishBlock(file, block) };
  return commitOutcomes(name, order, world);
}

/** Lists the users of a block with their outcomes, as they are now. */
export async function storeResults(
  { file, number, users }: Pick<Job, 'file' | 'number' | 'users'>,
  block: Block,
  { bucket, clock }: Pick<World, 'bucket' | 'clock'>,
): Promise<void> {
  const lines = Buffer.from(resultLines(users, block, clock.nowMs()));
  await bucket.put(resultsKey(file, number), lines, 'application/x-ndjson');
}

/** One line per user. Who is `pending` has a delivery of their own. */
function resultLines(users: readonly BlockUser[], block: Block, nowMs: number): string {
  const at = toInstant(nowMs);
  const lines = users.map(({ userId, row }, place) =>
    JSON.stringify({ userId, row, status: outcomeAt(block, place), at }),
  );
  return lines.map((line) => `${line}\n`).join('');
}
