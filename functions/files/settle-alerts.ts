import type { Receipt } from '../shared/aws/batch.ts';
import { fullJitterMs } from '../shared/backoff.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { type Delivery, isFinal } from '../webhooks/delivery.ts';
import { withBits } from './bitmap.ts';
import { eachBlock, findBlock, saveRetried, saveSettled } from './block.store.ts';
import { type Block, type Outcome, settle, unknownPlaces, unsettledPlaces } from './block.ts';
import { commitOutcomes } from './commit-outcomes.ts';
import { type AlertFile, NO_OUTCOMES, type Outcomes } from './file.ts';
import { areRecordsKept } from './file-looks.ts';
import { findAlertDeliveries } from './find-alert-deliveries.ts';
import { readBlockUsers } from './read-block-users.ts';

type Needs = Pick<World, 'bucket' | 'clock' | 'db' | 'ids' | 'log'>;
type Counts = Omit<Needs, 'bucket'>;

/** What became of a retried user, by the place in the block. */
export interface Settlement {
  readonly place: number;
  readonly outcome: Outcome;
}

const ROUNDS = 10;
const PAUSE = { baseMs: 10, capMs: SECOND_MS };
/** Quota of BatchGetItem. */
const RECORDS_AT_ONCE = 100;
/** Time for one block: two reads of the bucket, ten of the records, and contended writes. */
const RESERVE_MS = 15 * SECOND_MS;

/** The final outcome of an alert by its delivery; undefined while there is none. */
export function outcomeOfDelivery(delivery: Delivery | undefined): Outcome | undefined {
  if (!delivery || !isFinal(delivery)) return undefined;
  const { status } = delivery;
  return status === 'delivered' || status === 'uncertain' || status === 'cancelled'
    ? status
    : 'failed';
}

/**
 * Counts these outcomes, each once, and nothing where all of them are counted already. `block` is
 * read anew when others settle alerts of it at the same moment. Refuses with `busy` when they do
 * so again and again.
 */
export async function settleAlerts(
  file: AlertFile,
  { block, settlements }: { readonly block: Block; readonly settlements: readonly Settlement[] },
  world: Counts,
): Promise<void> {
  const { clock, db, ids, log } = world;
  const name = { tenantId: file.tenantId, fileId: file.id };
  let now = block;
  for (let round = 0; round < ROUNDS; round += 1) {
    const { settled, change } = applyAll(now, settlements);
    if (settled === now) return;

    const blockWrite = saveSettled(file, settled);
    if (await commitOutcomes(name, { change, blockWrite }, world)) {
      log.info('file.alerts-settled', { ...name, block: block.number, ...change });
      return;
    }
    await clock.sleep(fullJitterMs(round, PAUSE, ids.random()));
    now = (await findBlock(db, name, block.number)) ?? now;
  }
  throw new Problem('busy', { detail: 'Too many alerts of one block end at the same moment.' });
}

function applyAll(block: Block, settlements: readonly Settlement[]) {
  let settled = block;
  let change: Outcomes = NO_OUTCOMES;
  for (const { place, outcome } of settlements) {
    const step = settle(settled, place, outcome);
    if (!step) continue;
    settled = step.block;
    change = sum(change, step.change);
  }
  return { settled, change };
}

function sum(a: Outcomes, b: Outcomes): Outcomes {
  return {
    delivered: a.delivered + b.delivered,
    failed: a.failed + b.failed,
    uncertain: a.uncertain + b.uncertain,
    cancelled: a.cancelled + b.cancelled,
  };
}

/**
 * Notes in a block that nobody has that these users have deliveries of their own: a worker that
 * died could not. Answers the block as it is then; undefined when somebody may be at it, who
 * notes it as well.
 */
export async function noteRetried(
  { tenantId, id }: AlertFile,
  { block, places }: { readonly block: Block; readonly places: readonly number[] },
  { clock, db, log }: Pick<World, 'clock' | 'db' | 'log'>,
): Promise<Block | undefined> {
  const nowMs = clock.nowMs();
  if (!isFree(block, nowMs)) return undefined;
  const noted = {
    ...block,
    attempted: withBits(block.attempted, places),
    retried: withBits(block.retried, places),
    ...{ leaseMs: undefined, token: undefined },
  };
  const name = { tenantId, fileId: id };
  const commit = await db.commit([saveRetried(name, { seen: block, block: noted }, nowMs)]);
  if (!commit.ok) return undefined;
  log.info('file.alerts-noted', { ...name, block: block.number, places });
  return noted;
}

function isFree({ leaseMs = 0 }: Block, nowMs: number): boolean {
  return leaseMs < nowMs;
}

/**
 * Counts what the records of deliveries say, in case that a notice of an outcome got lost; when
 * records are kept no more, whoever is left has failed. Ends in time before `deadlineMs`. Each look
 * begins at another block, so that in a file of thousands all of them get their turn.
 */
export async function settleFromRecords(
  file: AlertFile,
  world: Needs,
  { deadlineMs }: Pick<Receipt, 'deadlineMs'>,
): Promise<void> {
  const first = Math.floor(world.ids.random() * file.blocks);
  for await (const block of eachBlockFrom(first, file, world)) {
    if (world.clock.nowMs() > deadlineMs - RESERVE_MS) return;
    if (areRecordsKept(file, world.clock.nowMs())) {
      await settleBlock(file, block, world);
      continue;
    }
    const settlements = unsettledPlaces(block).map(failedAt);
    await settleAlerts(file, { block, settlements }, world);
  }
}

const failedAt = (place: number): Settlement => ({ place, outcome: 'failed' });

/** Also of users whose worker died before their block heard of their deliveries. */
async function settleBlock(file: AlertFile, found: Block, world: Needs): Promise<void> {
  const isLeft = !found.finished && isFree(found, world.clock.nowMs());
  const orphans = isLeft ? unknownPlaces(found) : [];
  const places = [...unsettledPlaces(found), ...orphans];
  if (places.length === 0) return;
  const deliveries = await readDeliveries(file, { block: found, places }, world);
  const unnoted = orphans.filter((place) => deliveries.has(place));
  const isNoting = unnoted.length > 0;
  const noted = isNoting && (await noteRetried(file, { block: found, places: unnoted }, world));
  const settlements = [...deliveries].flatMap(([place, delivery]) => {
    const outcome = outcomeOfDelivery(delivery);
    return outcome ? [{ place, outcome }] : [];
  });
  await settleAlerts(file, { block: noted || found, settlements }, world);
}

/** All blocks, first those from this number on. */
async function* eachBlockFrom(
  first: number,
  file: AlertFile,
  { db }: Needs,
): AsyncGenerator<Block> {
  const name = { tenantId: file.tenantId, fileId: file.id };
  yield* eachBlock(db, name, first);
  for await (const block of eachBlock(db, name, 0)) {
    if (block.number >= first) return;
    yield block;
  }
}

/** What is on record of the users at these places. */
async function readDeliveries(
  file: AlertFile,
  { block, places }: { readonly block: Block; readonly places: readonly number[] },
  { bucket, db }: Needs,
): Promise<ReadonlyMap<number, Delivery>> {
  const users = await readBlockUsers(bucket, file, block.number);
  const deliveries = new Map<number, Delivery>();
  for (let from = 0; from < places.length; from += RECORDS_AT_ONCE) {
    const some = places.slice(from, from + RECORDS_AT_ONCE);
    const found = await findAlertDeliveries(db, file, { users, places: some });
    some.forEach((place, i) => {
      const delivery = found[i];
      if (delivery) deliveries.set(place, delivery);
    });
  }
  return deliveries;
}
