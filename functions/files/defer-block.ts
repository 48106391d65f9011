import type { World } from '../shared/world.ts';
import { doorOf } from '../webhooks/door.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';
import { saveStep } from '../webhooks/save-delivery.ts';
import { sendNext } from '../webhooks/settle-delivery.ts';
import { takeProbe } from '../webhooks/take-probe.ts';
import { wait } from '../webhooks/waiting.ts';
import { saveProgress } from './block.store.ts';
import { type Block, nextPlaces, withResults } from './block.ts';
import type { Job } from './deliver-block.ts';
import { deliveryOf } from './send-alert.ts';

/** A block behind a closed endpoint. */
export interface Deferred {
  readonly job: Job;
  readonly block: Block;
  readonly known: KnownEndpoint;
}

/**
 * An open breaker closes by probes, and probes are deliveries: where there are none, as when a file
 * is all that the endpoint gets, what arrives next is the probe. So one of the blocks that are
 * deferred leaves it its next user, in one commit with the block's own bit: a worker that dies then
 * must not leave that user to be alerted beside the probe. Answers the block as it is then.
 */
export async function leaveToProbe(
  { job, block, known }: Deferred,
  world: Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> & {
    readonly endpoints: EndpointMemory;
  },
): Promise<Block> {
  const { file, number, users } = job;
  const [place] = nextPlaces(block, 1);
  const user = place === undefined ? undefined : users[place];
  if (doorOf(known) !== 'breaker_open' || place === undefined || !user) return block;

  const nowMs = world.clock.nowMs();
  const before = deliveryOf(file, { block: number, place, user }, nowMs);
  const probe = await takeProbe(known, before, world);
  if (!probe) return block;
  const left = withResults(block, { delivered: [], retried: [place], uncertain: [], unsent: [] });
  const saved = await saveStep(world, {
    before,
    after: wait(probe, { atMs: nowMs, version: known.pace.version }, nowMs),
    also: [saveProgress(file, left)],
  });
  if (saved.won) await sendNext(saved.delivery, world);
  world.log.info('file.alert-probes', {
    tenant: file.tenantId,
    file: file.id,
    block: number,
    place,
  });
  return left;
}
