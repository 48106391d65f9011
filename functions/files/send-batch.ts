import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';
import { hasBit } from './bitmap.ts';
import type { BatchResult, Block } from './block.ts';
import type { Job } from './deliver-block.ts';
import { markBatch } from './mark-batch.ts';
import { type AlertEnd, sendAlert } from './send-alert.ts';

type Needs = Pick<
  World,
  'clock' | 'db' | 'http' | 'ids' | 'log' | 'meters' | 'queues' | 'secrets'
> & {
  readonly endpoints: EndpointMemory;
};

/** After a batch in which nobody could be reached. */
const DEAD_MS = 10 * SECOND_MS;

/** The users whose turn it is, each with a slot. */
export interface BatchOrder {
  readonly job: Job;
  readonly known: KnownEndpoint;
  /** The block before these users were marked: a marked one may have been alerted already. */
  readonly before: Block;
  readonly places: readonly number[];
  readonly slotsMs: readonly number[];
}

/** `restUntilMs`: the worker should leave the receiver, or itself, alone until then. */
export interface BatchEnd {
  readonly result: BatchResult;
  readonly restUntilMs?: number;
}

/** Alerts the users of a batch side by side, and logs one line for all of them. */
export async function sendBatch(order: BatchOrder, world: Needs): Promise<BatchEnd> {
  const startedAtMs = world.clock.nowMs();
  const ends = await Promise.all(order.places.map((_, i) => sendOne(order, i, world)));
  const placesOf = (kind: AlertEnd['kind']) =>
    order.places.filter((_, i) => ends[i]?.kind === kind);
  const [unsent, unclear] = [placesOf('unsent'), placesOf('unclear').length];
  const result = {
    delivered: placesOf('delivered'),
    retried: placesOf('retried'),
    uncertain: placesOf('uncertain'),
    // Whom a dead worker may have alerted stays marked, however this copy ended.
    unsent: unsent.filter((place) => !hasBit(order.before.attempted, place)),
  };
  const counts = { unsent: unsent.length, unclear };
  logBatch(order, { result, ...counts, ms: world.clock.nowMs() - startedAtMs }, world);

  const attempts = ends.flatMap((it) => ('attempt' in it ? [it.attempt] : []));
  const isDead = await markBatch({ known: order.known, cause: order.job.file }, attempts, world);
  const rests = ends.flatMap((it) => (it.kind === 'unsent' ? [it.restUntilMs] : []));
  // An unclear one is repeated by the next worker, which knows that it is a repeat.
  if (unclear > 0) rests.push(world.clock.nowMs());
  if (isDead) rests.push(world.clock.nowMs() + DEAD_MS);
  return rests.length === 0 ? { result } : { result, restUntilMs: Math.max(...rests) };
}

function sendOne(order: BatchOrder, index: number, world: Needs): Promise<AlertEnd> {
  const { job, known, before } = order;
  const place = order.places[index] ?? 0;
  const user = job.users[place];
  if (!user) throw new Error(`block ${job.number} of ${job.file.id} has no user ${place}`);
  return sendAlert(
    {
      file: job.file,
      endpoint: known.endpoint,
      block: job.number,
      place,
      user,
      slotMs: order.slotsMs[index] ?? 0,
      isRepeat: hasBit(before.attempted, place),
      leaseMs: job.leaseMs,
    },
    world,
  );
}

interface BatchFacts {
  readonly result: BatchResult;
  readonly unsent: number;
  readonly unclear: number;
  readonly ms: number;
}

/** A file of a million users would else be a million lines. */
function logBatch({ job, known, places }: BatchOrder, facts: BatchFacts, { log }: Needs): void {
  const { delivered, retried, uncertain } = facts.result;
  log.info('file.batch', {
    tenant: job.file.tenantId,
    file: job.file.id,
    block: job.number,
    endpoint: known.endpoint.id,
    firstPlace: places[0],
    users: places.length,
    delivered: delivered.length,
    retried: retried.length,
    uncertain: uncertain.length,
    unsent: facts.unsent,
    unclear: facts.unclear,
    ms: facts.ms,
  });
}
