import type { Receipt } from '../shared/aws/batch.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import type { Endpoint } from '../webhooks/endpoint.ts';
import { isAiling } from '../webhooks/health.ts';
import { filePaced, MISSED_MAX } from '../webhooks/pace.ts';
import type { EndpointMemory, KnownEndpoint } from '../webhooks/remember-endpoints.ts';
import { releaseBlock, saveProgress, toBlock } from './block.store.ts';
import { type Block, newBlock, nextPlaces, withAttempted, withResults } from './block.ts';
import { claimBlock } from './block-claim.store.ts';
import { type BlockMessage, blockMessage } from './block-message.ts';
import { checkDoor } from './check-door.ts';
import { leaveToProbe } from './defer-block.ts';
import { endBlock } from './end-block.ts';
import { findFile } from './file.store.ts';
import type { AlertFile } from './file.ts';
import { keepProgress } from './keep-progress.ts';
import { type BlockUser, readBlockUsers } from './read-block-users.ts';
import { sendBatch } from './send-batch.ts';
import { settleUnknown } from './settle-unknown.ts';
import { takeTurn } from './take-turn.ts';
import { batchSize, type KeptSlots, type OwnPaced, WAIT_MS_MAX } from './turn.ts';

type Needs = Pick<
  World,
  'bucket' | 'clock' | 'db' | 'http' | 'ids' | 'log' | 'meters' | 'queues' | 'secrets'
> & { readonly endpoints: EndpointMemory };

/** A claimed block with what its worker needs. */
export interface Job {
  readonly file: AlertFile;
  readonly number: number;
  readonly users: readonly BlockUser[];
  /** Slots of the pace that an earlier worker took for the next users. */
  readonly kept: KeptSlots;
  /** How many batches in a row have come too late for their slots. */
  readonly missed: number;
  /** When Lambda kills this worker. */
  readonly deadlineMs: number;
  /** Until when nobody else can have the block. */
  readonly leaseMs: number;
}

/** How long after its own end a worker still holds the block: two never send at a time. */
const LEASE_SLACK_MS = 5 * SECOND_MS;
/** A batch whose sends take all their time must still find time to be stored. */
const RESERVE_MS = 5 * SECOND_MS;
/** A message can wait for 15 minutes at most; then it is sent once more. */
const MESSAGE_AHEAD_MS_MAX = 14 * MINUTE_MS;

/**
 * Alerts the users of one block who are not alerted yet. Safe to repeat and to run beside
 * others: one worker has a block at a time, and before each batch it writes down whom it is
 * about to alert. A worker that dies leaves at most one batch of whom nobody knows.
 */
export async function deliverBlock(
  message: BlockMessage,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const { tenant, file: fileId, block: number } = message;
  const file = await findFile(world.db, { tenantId: tenant, fileId });
  if (file?.state !== 'delivering') {
    world.log.info('file.block-skipped', { ...message, decision: 'file-not-delivering' });
    return;
  }
  const users = await readBlockUsers(world.bucket, file, number);
  const leaseMs = deadlineMs + LEASE_SLACK_MS;
  const kept = { slotsMs: message.slots, version: message.pv };
  const job = { file, number, users, kept, missed: 0, deadlineMs, leaseMs };
  const block = await claim(job, message, world);
  if (block) await work(job, block, world);
  else skip(job, 'block-not-free', world);
}

async function claim(job: Job, { woken }: BlockMessage, world: Needs): Promise<Block | undefined> {
  const { file, number, users, leaseMs } = job;
  const wanted = { ...newBlock(number, users.length), leaseMs, token: world.ids.next('req') };
  const commit = await world.db.commit([
    claimBlock(file, wanted, { nowMs: world.clock.nowMs(), woken }),
  ]);
  // The answer to a claim may get lost and the claim be repeated: then it is refused by itself.
  const item = commit.ok ? commit.item : commit.reasons[0]?.item;
  if (item?.token !== wanted.token) return undefined;
  return settleUnknown(toBlock(item), job, world);
}

/** What a step of the work leads to: more of it, or its end. */
type Step =
  | {
      readonly kind: 'go-on';
      readonly block: Block;
      readonly kept: KeptSlots;
      readonly missed: number;
    }
  | { readonly kind: 'rest'; readonly block: Block; readonly rest: Rest }
  | { readonly kind: 'stop'; readonly block: Block }
  | { readonly kind: 'lost' };

/** When to go on, the slots that are taken for then, and by which version of the pace. */
interface Rest {
  readonly atMs: number;
  readonly kept?: KeptSlots | undefined;
  readonly version: number;
}

/** Batch after batch, until the block, the time or the receiver's patience is at its end. */
async function work(claimed: Job, found: Block, world: Needs): Promise<void> {
  let [job, block] = [claimed, found];
  while (nextPlaces(block, 1).length > 0) {
    const step = await alertBatch(job, block, world);
    if (step.kind === 'lost') return skip(job, 'block-lost', world);
    if (step.kind === 'stop') return leave(job, step.block, world);
    if (step.kind === 'rest') return giveBack(job, step, world);
    block = step.block;
    job = { ...job, kept: step.kept, missed: step.missed };
  }
  await endBlock(job, block, world);
}

/** One look at the endpoint, one write, and then at most 25 sends side by side. */
async function alertBatch(job: Job, block: Block, world: Needs): Promise<Step> {
  const { clock, db } = world;
  const keeping = <Done>(act: () => Promise<Done>) =>
    keepProgress(act, { file: job.file, block }, world);
  const passage = await keeping(() => checkDoor(job.file, world));
  if (passage.kind === 'stopped') return { kind: 'stop', block };
  if (passage.kind === 'later') {
    const left = await leaveToProbe({ job, block, known: passage.known }, world);
    const { version } = passage.known.pace;
    return { kind: 'rest', block: left, rest: { atMs: passage.atMs, version } };
  }
  const { known } = passage;
  const { version } = known.pace;
  const rest = (at: Omit<Rest, 'version'>): Step => {
    return { kind: 'rest', block, rest: { version: at.kept?.version ?? version, ...at } };
  };
  if (!hasTime(job, known.endpoint, clock.nowMs())) return rest({ atMs: clock.nowMs() });

  const wanted = nextPlaces(block, countFor(known));
  const left = isAiling(known.health) ? 1 : nextPlaces(block, 2 * wanted.length).length;
  const order = { count: left, kept: job.kept, own: ownPaced(job.file) };
  const turn = await keeping(() => takeTurn(world, known.endpoint, order));
  if (turn.kind === 'later') return rest(turn);

  const places = wanted.slice(0, turn.slotsMs.length);
  const marked = withAttempted(block, places);
  const commit = await keeping(() => db.commit([saveProgress(job.file, marked)]));
  if (!commit.ok) return { kind: 'lost' };
  const { kept } = turn;
  const isTooLate = clock.nowMs() > (turn.lastMs ?? Infinity);
  // Nothing is sent: these slots are over, and others are taken.
  if (isTooLate && job.missed < MISSED_MAX) {
    return { kind: 'go-on', block, kept, missed: job.missed + 1 };
  }

  const batch = { job, known, before: block, places, slotsMs: turn.slotsMs };
  const { result, restUntilMs } = await sendBatch(batch, world);
  const after = withResults(marked, result);
  if (restUntilMs === undefined) return { kind: 'go-on', block: after, kept, missed: 0 };
  return { kind: 'rest', block: after, rest: { atMs: restUntilMs, kept, version } };
}

/** One at a time to a receiver that failed last, so that a dead one fails few. */
function countFor({ endpoint, health }: KnownEndpoint): number {
  return isAiling(health) ? 1 : batchSize(endpoint);
}

function ownPaced(file: AlertFile): OwnPaced | undefined {
  const { tenantId, id: fileId, ratePerSecond, window, blocks } = file;
  if (ratePerSecond === undefined) return undefined;
  return { ...filePaced({ tenantId, fileId }, ratePerSecond), blocks: Math.min(window, blocks) };
}

/** Whether the slowest batch would be stored before the worker is killed. */
function hasTime({ deadlineMs }: Job, { timeoutMs }: Endpoint, nowMs: number): boolean {
  return nowMs + 2 * WAIT_MS_MAX + timeoutMs + RESERVE_MS < deadlineMs;
}

/** Stores what is known, and asks the next worker to go on from there. */
async function giveBack(
  job: Job,
  { block, rest }: { readonly block: Block; readonly rest: Rest },
  world: Needs,
): Promise<void> {
  const atMs = Math.min(rest.atMs, world.clock.nowMs() + MESSAGE_AHEAD_MS_MAX);
  const free = { notBeforeMs: atMs, paceVersion: rest.version };
  const commit = await world.db.commit([releaseBlock(job.file, block, free)]);
  if (!commit.ok) return skip(job, 'block-lost', world);

  world.log.info('file.block-rests', { ...namesOf(job), untilMs: rest.atMs });
  await world.queues.send('file-blocks', [
    blockMessage(job.file, block.number, { atMs, kept: rest.kept }),
  ]);
}

/** Stores what is known. Whoever lets the file go on finds the block. */
async function leave(job: Job, block: Block, world: Needs): Promise<void> {
  const free = { notBeforeMs: 0, paceVersion: undefined };
  const commit = await world.db.commit([releaseBlock(job.file, block, free)]);
  skip(job, commit.ok ? 'file-not-delivering' : 'block-lost', world);
}

function namesOf({ file, number }: Pick<Job, 'file' | 'number'>) {
  return { tenant: file.tenantId, file: file.id, block: number };
}

function skip(job: Pick<Job, 'file' | 'number'>, decision: string, { log }: Needs): void {
  log.info('file.block-skipped', { ...namesOf(job), decision });
}
