import { fitsFilter } from '../events/event.ts';
import { idPart } from '../shared/ids/derive.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import { BLOCKED, type Delivery, type DeliveryStatus, isFinal } from './delivery.ts';
import type { Slot } from './pace.ts';
import { wait } from './waiting.ts';

/**
 * A job that sends deliveries of one endpoint again, step by step: what is held or put off, after a
 * person (`resume`) or a success (`drain`) has opened the endpoint; what has slots of a limit that
 * was lower (`repace`); or what a tenant asks for (`replay`).
 */
export interface Release {
  readonly id: `rpl_${string}`;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly kind: 'resume' | 'drain' | 'repace' | 'replay';
  readonly status: 'running' | 'done' | 'cancelled';
  readonly wants: Wanted;
  /** Of the pace, when it began: what waits for a slot of an older one goes by the present one. */
  readonly paceVersion?: number | undefined;
  /** Of the endpoint's limit; the rest is for others. */
  readonly share: number;
  /** How many it sends per second by now. */
  readonly perSecond: number;
  /** The event of the last delivery that it looked at in this pass. */
  readonly cursor?: string | undefined;
  /** Whether this pass has sent anything: then there is another one. */
  readonly hasMoved: boolean;
  readonly matched: number;
  readonly sent: number;
  /** Of a replay: what a step has counted and not yet sent, to the last. */
  readonly planned?: PlannedStep | undefined;
  /** A replay that waits for its endpoint to be opened. */
  readonly isWaiting?: true | undefined;
  /** When it was cancelled. */
  readonly endedAtMs?: number | undefined;
  /** Counts its steps: whoever names the present one may do it. */
  readonly step: number;
  /** When somebody must look at it again. */
  readonly dueMs?: number | undefined;
  readonly createdAtMs: number;
  /** Of the request that made it, when that had an Idempotency-Key. */
  readonly fingerprint?: string | undefined;
}

/** `missing`: an event that the endpoint wants and that never came to be a delivery. */
export type ReleasedStatus = Exclude<DeliveryStatus, 'inflight' | 'cancelled'> | 'missing';

/** What each kind of release sends that no tenant has described. */
export const RELEASED = {
  resume: ['held', 'waiting', 'retrying'],
  drain: ['held', 'waiting'],
  repace: ['waiting'],
} as const satisfies Partial<Record<Release['kind'], readonly ReleasedStatus[]>>;

/** The events behind one, exclusive, up to another one, inclusive. */
export interface PlannedStep {
  readonly after?: string | undefined;
  readonly through: string;
}

/** Which deliveries a release is about. */
export interface Wanted {
  readonly statuses: readonly ReleasedStatus[];
  /** Types and `prefix.*` filters. Undefined: every type. */
  readonly eventTypes?: readonly string[] | undefined;
  /** By the time at which their events were accepted, inclusive and exclusive. */
  readonly between?: { readonly fromMs: number; readonly toMs: number } | undefined;
}

/** What is about to be held gets this long to appear on the index. */
const SETTLING_MS = MINUTE_MS;

/** How long the sends of a step take together, where the rate is at least one in that time. */
export const STEP_MS = 5 * SECOND_MS;
/** What a step handles at most, so that a worker has time for it. */
export const STEP_MAX = 500;

/** Without a limit of the endpoint a release starts with so many per second… */
const UNLIMITED_START = 50;
/** …and does not do more than this. */
const UNLIMITED_MAX = 1_000;

/** The bounds of a slow start at an endpoint with this limit. */
export function ratesOf(perSecond: number | undefined, share: number) {
  const max = (perSecond ?? UNLIMITED_MAX) * share;
  const start = perSecond === undefined ? UNLIMITED_START : Math.max(1, perSecond / 10);
  return { start: Math.min(max, start), max };
}

/** How many a step sends, and how long it takes. */
export function stepOf(perSecond: number): { readonly count: number; readonly lastsMs: number } {
  const inStep = Math.floor((perSecond * STEP_MS) / SECOND_MS);
  const count = Math.min(STEP_MAX, Math.max(1, inStep));
  return { count, lastsMs: Math.ceil((count * SECOND_MS) / perSecond) };
}

/** Twice as fast after a step without failures, half as fast after one with them. */
export function nextRate(
  { perSecond }: Pick<Release, 'perSecond'>,
  { start, max }: ReturnType<typeof ratesOf>,
  isFailing: boolean,
): number {
  const next = isFailing ? perSecond / 2 : perSecond * 2;
  return Math.min(max, Math.max(start, next));
}

/** What a step has found and done. */
export interface StepResult {
  /** The last event that it looked at. */
  readonly cursor?: string | undefined;
  readonly isEnd: boolean;
  readonly matched: number;
  readonly sent: number;
  readonly perSecond: number;
  /** When the next step is due. */
  readonly nextMs: number;
}

/**
 * The release after a step. What is held may come late to the index, and while a pass runs: so a
 * pass that moved anything, or that was too early to see everything, is followed by another one.
 */
export function afterStep(release: Release, result: StepResult, nowMs: number): Release {
  const counted = {
    ...release,
    planned: undefined,
    matched: release.matched + result.matched,
    sent: release.sent + result.sent,
    perSecond: result.perSecond,
  };
  const hasMoved = release.hasMoved || result.sent !== 0;
  if (!result.isEnd) {
    return { ...counted, cursor: result.cursor, hasMoved, dueMs: result.nextMs };
  }
  const { kind, status, createdAtMs, endedAtMs = createdAtMs } = release;
  const isSending = kind === 'replay' && status === 'running';
  const settledMs = endedAtMs + SETTLING_MS;
  const isOver = isSending || (!hasMoved && nowMs >= settledMs);
  if (isOver) return finish(counted, status === 'cancelled' ? 'cancelled' : 'done');
  const dueMs = hasMoved ? result.nextMs : Math.max(result.nextMs, settledMs);
  return { ...counted, cursor: undefined, hasMoved: false, dueMs };
}

/** A replay that has counted its next step before it sends any of it: a crash miscounts none. */
export function planStep(release: Release, count: number, through: string): Release {
  const { matched, sent, cursor } = release;
  const counted = { matched: matched + count, sent: sent + count, hasMoved: true };
  return { ...release, ...counted, cursor: through, planned: { after: cursor, through } };
}

/**
 * A replay that sends no more. What it has sent to the queues and nobody has claimed is still to be
 * given back.
 */
export function cancelReplay(release: Release, nowMs: number): Release {
  const ended = { ...finish(release, 'cancelled'), planned: undefined, endedAtMs: nowMs };
  if (release.sent === 0) return ended;
  return { ...ended, cursor: undefined, hasMoved: false, dueMs: nowMs };
}

/** Whether nothing stays of a release: it is over, and no tenant may ask for it. */
export function isGone({ kind, status }: Pick<Release, 'kind' | 'status'>): boolean {
  return kind !== 'replay' && status !== 'running';
}

/** The release with nothing more to do. */
export function finish(release: Release, status: 'done' | 'cancelled'): Release {
  return { ...release, status, dueMs: undefined };
}

/**
 * Whether a delivery is one of those that a release is about. What waits is if its slot is void,
 * and a retry if it only waits for the end of a block. Alerts of files have no replay.
 */
export function isWanted(
  delivery: Delivery,
  { wants, paceVersion = Infinity }: Pick<Release, 'wants' | 'paceVersion'>,
): boolean {
  const { statuses, eventTypes, between } = wants;
  const { status, reason, paceVersion: slotVersion = 0 } = delivery;
  if (!(statuses as readonly string[]).includes(status)) return false;
  if (status === 'waiting' && slotVersion >= paceVersion) return false;
  if (status === 'retrying' && reason !== BLOCKED) return false;
  if (between && delivery.alert) return false;
  return eventTypes?.some((it) => fitsFilter(it, delivery.eventType)) ?? true;
}

/** The delivery as a replay takes it up, which may have to give it back. */
export function takeUp(delivery: Delivery, { id, kind }: Pick<Release, 'id' | 'kind'>): Delivery {
  if (kind !== 'replay') return delivery;
  const { token, status, spent, firstAtMs, reason } = delivery;
  // What never came to be cannot be undone: it has to stay with a reason.
  const isNew = token === '';
  const was = isNew
    ? ({ status: 'exhausted', reason: 'replay_cancelled' } as const)
    : { status, reason };
  return { ...delivery, replay: { id, spent, firstAtMs, ...was } };
}

/** The delivery as it was before its replay took it up. Undefined where that did not. */
export function giveBack(delivery: Delivery, { id }: Pick<Release, 'id'>): Delivery | undefined {
  const { replay } = delivery;
  if (replay?.id !== id) return undefined;
  const { id: _, ...was } = replay;
  return { ...delivery, ...was, replay: undefined, dueMs: undefined };
}

/** The delivery on its way again at a slot: what is at its end gets a full plan, others go on. */
export function releaseAt(delivery: Delivery, slot: Slot, nowMs: number): Delivery {
  const fresh = isFinal(delivery) ? { ...delivery, spent: 0, firstAtMs: undefined } : delivery;
  return wait({ ...fresh, reason: undefined }, slot, nowMs);
}

/** The replay that a tenant means: `publicId` backwards. */
export function nameOfReplay(id: string): Pick<Release, 'endpointId' | 'id' | 'kind'> {
  const parts = idPart(id);
  const half = parts.length / 2;
  const endpointId = `end_${parts.slice(0, half)}`;
  return { endpointId, id: `rpl_${parts.slice(half)}`, kind: 'replay' };
}

/** The id by which a tenant knows it: the endpoint's part and its own, so that no index is read. */
export function publicId({ endpointId, id }: Pick<Release, 'endpointId' | 'id'>): `rpl_${string}` {
  return `rpl_${idPart(endpointId)}${idPart(id)}`;
}
