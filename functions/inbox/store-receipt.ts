import { type DailyEvents, takeDay } from '../events/take-day.ts';
import { commitDespiteConflicts } from '../shared/commit-despite-conflicts.ts';
import { retryAfterSeconds } from '../shared/http/rate-headers.ts';
import { Problem } from '../shared/problem.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { Commit, Reason, World } from '../shared/world.ts';
import type { TakeToken } from '../tenants/take-token.ts';
import { findRoom, raiseBacklog } from './backlog.store.ts';
import { type Share, sharesOf } from './backlog.ts';
import { insertBody } from './body.store.ts';
import {
  type DuplicateMark,
  findMarked,
  insertMark,
  receiptOfMark,
} from './duplicate-mark.store.ts';
import { findReceipt, insertReceipt, toReceipt } from './receipt.store.ts';
import { isInline, isOpen, type Receipt } from './receipt.ts';
import { remindOfReceipt } from './remind-of-receipt.ts';
import { backlogCap, fullProblem, rateCap, type Terms } from './source.ts';

/** Takes a token of a source. */
export interface SourceTokens {
  takeToken(name: string, limit: Parameters<TakeToken>[2]): ReturnType<TakeToken>;
}

export type StoringNeeds = Pick<World, 'clock' | 'db' | 'ids' | 'log' | 'meters' | 'queues'> &
  SourceTokens &
  DailyEvents;

/** A webhook that may be taken in. */
export interface Draft {
  readonly receipt: Receipt;
  readonly body: Uint8Array;
  /** Whether its id tells it from others; else each request has one of its own. */
  readonly isKnown: boolean;
  /** Where the same body is the same webhook for a time. */
  readonly mark?: DuplicateMark | undefined;
  /** How many events its tenant may have a day: it becomes one. Undefined: any number. */
  readonly dailyEvents: number | undefined;
}

/** The receipt as it is, and whether this request made it. */
export interface Stored {
  readonly receipt: Receipt;
  readonly isNew: boolean;
}

/** It does not come in: there is no room for it. */
interface Refused {
  readonly isNew: false;
  readonly refusal: Problem;
}

/** Takes a webhook in, and counts what became of the request. */
export async function countRequest<Answer extends object>(
  { meters }: Pick<World, 'meters'>,
  take: () => Promise<Answer>,
): Promise<Answer> {
  try {
    const answer = await take();
    if ('isNew' in answer) {
      meters.count('webhook_events_total', { result: answer.isNew ? 'accepted' : 'duplicate' });
    }
    return answer;
  } catch (error) {
    if (error instanceof Problem) meters.count('webhook_events_total', { result: 'rejected' });
    throw error;
  }
}

/**
 * Takes a webhook in, once: when it resolves, the receipt is stored, and will be processed. What is
 * known already is answered even where there is no room for more. Refuses as the terms say where a
 * limit is reached, and with `rate_limited` where the tenant has no more events left of the day.
 */
export async function storeReceipt(
  draft: Draft,
  terms: Terms,
  world: StoringNeeds,
): Promise<Stored> {
  const { receipt, dailyEvents } = draft;
  const isRepeated = async () => (await findKnown(draft, world)) !== undefined;
  const asked = { tenantId: receipt.tenantId, dailyEvents, count: 1, isRepeated };
  const stored = await takeDay(world, asked, () => storeOrFind(draft, terms, world));
  // What there was no room for counts as no event of the day.
  if ('refusal' in stored) throw stored.refusal;
  // Of a copy too: perhaps the first one's message got lost, and claims make one more harmless.
  if (isOpen(stored.receipt)) await remindOfReceipt(stored.receipt, world);
  return stored;
}

async function storeOrFind(
  draft: Draft,
  terms: Terms,
  world: StoringNeeds,
): Promise<Stored | Refused> {
  const limit = rateCap(terms);
  if (limit) {
    const turn = await world.takeToken(`in#${terms.counter}`, limit);
    if (!turn.isFree) return findOrRefuse(draft, terms, { waitMs: turn.waitMs, world });
  }
  const shares = sharesFor(terms);
  let share = shares[Math.floor(world.ids.random() * shares.length)];
  if (!isInline(draft.body.length)) {
    // A long body costs hundreds of units: so it is looked first whether anybody wants it.
    const earlier = await findKnown(draft, world);
    if (earlier) return { receipt: earlier, isNew: false };
    share = share && (await findRoomFrom(share, shares, world));
    if (!share && shares.length > 0) return refused(terms, FULL_WAIT_MS, world);
    await saveBody(draft, world);
  }
  const { receipt, commit } = await insert(draft, { share, shares }, world);
  if (commit.ok) return { receipt, isNew: true };
  return (
    (await findEarlier(draft, commit.reasons, world)) ??
    findOrRefuse(draft, terms, { waitMs: FULL_WAIT_MS, world })
  );
}

interface Inserted {
  readonly receipt: Receipt;
  readonly commit: Commit;
}

/** Where its open receipts are counted; nowhere without a limit. */
function sharesFor(terms: Terms): Share[] {
  const cap = backlogCap(terms);
  return cap === undefined ? [] : sharesOf(terms.counter, cap, terms.shares);
}

/** This share if it has room, or else another one: the others are read only then. */
async function findRoomFrom(
  share: Share,
  shares: readonly Share[],
  { db, ids }: Pick<World, 'db' | 'ids'>,
): Promise<Share | undefined> {
  const others = shares.filter((it) => it !== share);
  return (await findRoom(db, [share], ids.random())) ?? findRoom(db, others, ids.random());
}

/** Where others are quicker each time, it is refused although there may be room. */
const ROUNDS = 5;

/** Counted in this share of its backlog, or where that is full in another one that has room. */
async function insert(
  draft: Draft,
  { share, shares }: { readonly share: Share | undefined; readonly shares: readonly Share[] },
  world: StoringNeeds,
): Promise<Inserted> {
  let inserted = await insertIn(draft, share, world);
  let tried = share;
  for (let round = 1; round < ROUNDS && isOnlyFull(inserted, draft); round += 1) {
    const others = shares.filter((it) => it !== tried);
    tried = await findRoom(world.db, others, world.ids.random());
    if (!tried) return inserted;
    inserted = await insertIn(draft, tried, world);
  }
  return inserted;
}

/** Whether nothing but its share was in the way. */
function isOnlyFull({ commit }: Inserted, draft: Draft): boolean {
  return !commit.ok && commit.reasons.findIndex(isCondition) === indexOfShare(draft);
}

function isCondition({ code }: Reason): boolean {
  return code === 'condition';
}

/** Where the write to its share stands among the writes of a receipt. */
function indexOfShare({ mark }: Draft): number {
  return mark ? 2 : 1;
}

async function insertIn(
  { receipt, mark }: Draft,
  share: Share | undefined,
  world: StoringNeeds,
): Promise<Inserted> {
  const counted = { ...receipt, counter: share?.counter };
  const marks = mark ? [insertMark(mark)] : [];
  const raised = share ? [raiseBacklog(share)] : [];
  const writes = [insertReceipt(counted), ...marks, ...raised];
  return { receipt: counted, commit: await commitDespiteConflicts(world, writes) };
}

/** Writes a long body before its receipt. Nothing is stored without it. */
async function saveBody({ receipt, body }: Draft, world: StoringNeeds): Promise<void> {
  const pieces = insertBody(receipt, body, receipt.receivedAtMs);
  await Promise.all(pieces.map((it) => commitDespiteConflicts(world, [it])));
}

/** How long a full backlog may take to have room again: nobody knows, so senders come apart. */
const FULL_WAIT_MS = 4 * SECOND_MS;

/** The receipt that is in the way of this one, if it is another receipt that is. */
async function findEarlier(
  { receipt, mark, isKnown }: Draft,
  [taken, marked]: readonly Reason[],
  world: StoringNeeds,
): Promise<Stored | undefined> {
  if (taken?.item) {
    // An id that nobody else can have is our own: the answer to the first try got lost.
    return { receipt: toReceipt(taken.item), isNew: !isKnown };
  }
  if (!mark || !marked?.item) return undefined;
  const id = receiptOfMark(marked.item);
  const earlier = await findReceipt(world.db, { ...receipt, id }, world.clock.nowMs());
  return earlier && { receipt: earlier, isNew: id === receipt.id };
}

async function findOrRefuse(
  draft: Draft,
  terms: Terms,
  { waitMs, world }: { readonly waitMs: number; readonly world: StoringNeeds },
): Promise<Stored | Refused> {
  const earlier = await findKnown(draft, world);
  if (earlier) return { receipt: earlier, isNew: false };
  return refused(terms, waitMs, world);
}

function refused(terms: Terms, waitMs: number, { ids }: StoringNeeds): Refused {
  return { isNew: false, refusal: fullProblem(terms, retryAfterSeconds(waitMs, ids.random())) };
}

/** The receipt of the first of which this one is a copy. */
async function findKnown(
  { receipt, mark, isKnown }: Draft,
  { db, clock }: StoringNeeds,
): Promise<Receipt | undefined> {
  if (isKnown) return findReceipt(db, receipt, clock.nowMs());
  const id = mark && (await findMarked(db, mark));
  return id === undefined ? undefined : findReceipt(db, { ...receipt, id }, clock.nowMs());
}
