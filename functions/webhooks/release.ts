import { fitsFilter } from '../events/event.ts';
import { idPart } from '../shared/ids/derive.ts';
import { MINUTE_MS, SECOND_MS } from '../shared/units.ts';
import { BLOCKED, type Delivery, type DeliveryStatus, isFinal } from './delivery.ts';
import { type Pace, RESTART_MS, type Slot, toUs } from './pace.ts';
import { beforeReplay, REPLAY_CANCELLED, wait } from './waiting.ts';

/**
 * A job that sends deliveries of one endpoint again, step by step: what is held or put off, after a
 * person (`resume`) or a success (`drain`) has opened the endpoint; what has slots of another limit
 * (`repace`); or what a tenant asks for (`replay`). Where an endpoint was closed it holds what is
 * in a queue and has no record (`close`).
 */
export interface Release {
  readonly id: `rpl_${string}`;
  readonly tenantId: string;
  readonly endpointId: string;
  readonly kind: 'resume' | 'drain' | 'repace' | 'replay' | 'close';
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
  /** Whether all that it is about was on the index when this pass began. */
  readonly isSettled?: true | undefined;
  readonly matched: number;
  readonly sent: number;
  /** Of a replay: what a step has counted and not yet sent, to the last. */
  readonly planned?: PlannedStep | undefined;
  /** A replay that waits for its endpoint to be opened. */
  readonly isWaiting?: true | undefined;
  /** Of a replay: no other one runs that was made earlier. */
  readonly sinceMs?: number | undefined;
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

/**
 * `missing`: an event that the endpoint wants and that never came to be a delivery. `pending`: one
 * that is on its way there through a queue, for a slot that may be minutes away, with no record.
 */
export type ReleasedStatus =
  | Exclude<DeliveryStatus, 'inflight' | 'cancelled'>
  | 'missing'
  | 'pending';

/** What each kind of release sends that no tenant has described. */
const RELEASED = {
  resume: ['held', 'waiting', 'retrying', 'pending'],
  drain: ['held', 'waiting'],
  repace: ['waiting', 'pending'],
  close: ['pending'],
} as const satisfies Partial<Record<Release['kind'], readonly ReleasedStatus[]>>;

/** What each kind of release is about. Only a limit makes anything wait in a queue. */
export function releasedBy(kind: ReleaseKind, isLimited: boolean): readonly ReleasedStatus[] {
  return RELEASED[kind].filter((it) => isLimited || it !== 'pending');
}

type Purpose = {
  readonly kind: Release['kind'];
  readonly wants: Pick<Wanted, 'statuses'>;
};

/** Whether a release that began later looks after all that an older one is about. */
export function isCovered(older: Purpose, later: Purpose): boolean {
  // What closes holds, and all others send.
  const isLike = (older.kind === 'close') === (later.kind === 'close');
  return isLike && older.wants.statuses.every((it) => later.wants.statuses.includes(it));
}

/** Those that no tenant has described. */
export type ReleaseKind = Exclude<Release['kind'], 'replay'>;

/** The events behind one, exclusive, up to another one, inclusive. */
export interface PlannedStep {
  readonly after?: string | undefined;
  readonly through: string;
  /** How many of them a cancelled replay has given back, that it would want again. */
  readonly restored?: number | undefined;
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

/** Whoever relays may know the endpoint as it was for so long after its change. */
const RELAYING_MS = 5 * SECOND_MS;
/** What was relayed earlier has left the queues. */
const QUEUED_MS = 30 * MINUTE_MS;

/** When what may be in a queue with a void slot was relayed. */
export function queuedBetween({ createdAtMs = 0 }: Partial<Pick<Release, 'createdAtMs'>>) {
  return { fromMs: createdAtMs - QUEUED_MS, toMs: createdAtMs + RELAYING_MS };
}

/** Whether anything may be in a queue for a slot far away, of this pace or an earlier one. */
export function mayBeQueued(
  { tatUs = 0, startMs = -Infinity }: Pick<Pace, 'tatUs' | 'startMs'>,
  nowMs: number,
): boolean {
  return tatUs > toUs(nowMs + RESTART_MS) || startMs > nowMs - QUEUED_MS;
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
 * pass that moved anything, or that began too early to see everything, is followed by another one.
 */
export function afterStep(release: Release, result: StepResult): Release {
  const counted = {
    ...release,
    planned: undefined,
    matched: release.matched + result.matched,
    sent: Math.max(0, release.sent + result.sent),
    perSecond: result.perSecond,
  };
  const hasMoved = release.hasMoved || result.sent !== 0;
  if (!result.isEnd) {
    return { ...counted, cursor: result.cursor, hasMoved, dueMs: result.nextMs };
  }
  const { kind, status, createdAtMs, endedAtMs = createdAtMs } = release;
  const isSending = kind === 'replay' && status === 'running';
  const settledMs = endedAtMs + SETTLING_MS;
  const isOver = isSending || (!hasMoved && release.isSettled);
  if (isOver) return finish(counted, status === 'cancelled' ? 'cancelled' : 'done');
  const dueMs = hasMoved ? result.nextMs : Math.max(result.nextMs, settledMs);
  const isSettled = dueMs >= settledMs || undefined;
  return { ...counted, cursor: undefined, hasMoved: false, isSettled, dueMs };
}

/** What a step is about to send, by the events of its first and last deliveries. */
interface Counted {
  readonly count: number;
  readonly first: string;
  readonly through: string;
}

/**
 * A replay that has counted its next step before it sends any of it: a crash miscounts none. The
 * plan begins right before the first of them: what was passed over may be wanted by the time that
 * another worker finishes it, and was not counted.
 */
export function planStep(release: Release, { count, first, through }: Counted): Release {
  const { matched, sent } = release;
  const counted = { matched: matched + count, sent: sent + count, hasMoved: true };
  // Ids of one batch differ only in their last characters. '~' sorts behind every id.
  const last = String.fromCharCode(first.charCodeAt(first.length - 1) - 1);
  const after = `${first.slice(0, -1)}${last}~`;
  return { ...release, ...counted, cursor: through, planned: { after, through } };
}

/**
 * A replay that sends no more. What it has sent to the queues and nobody has claimed is still to be
 * given back, and what a worker that died had only planned to be counted out.
 */
export function cancelReplay(release: Release, nowMs: number): Release {
  const ended = { ...finish(release, 'cancelled'), isWaiting: undefined, endedAtMs: nowMs };
  if (release.sent === 0) return ended;
  return { ...ended, cursor: undefined, hasMoved: false, isSettled: undefined, dueMs: nowMs };
}

/** Notes which of its planned step a cancelled replay has given back. */
export function withRestored(
  { planned, ...release }: Release,
  restored: readonly Delivery[],
): PlannedStep | undefined {
  if (!planned) return undefined;
  const { after = '', through } = planned;
  const isPlanned = ({ eventId }: Delivery) => eventId > after && eventId <= through;
  const again = restored.filter((it) => isPlanned(it) && isWanted(it, release));
  return { ...planned, restored: (planned.restored ?? 0) + again.length };
}

/** Whether nothing stays of a release: it is over, and no tenant may ask for it. */
export function isGone({ kind, status }: Pick<Release, 'kind' | 'status'>): boolean {
  return kind !== 'replay' && status !== 'running';
}

/** The release with nothing more to do. */
export function finish(release: Release, status: 'done' | 'cancelled'): Release {
  return { ...release, status, dueMs: undefined };
}

/** What a release looks for. */
export type Search = Pick<Release, 'wants' | 'paceVersion'> & {
  /** Whatever has such a status, also with a time of its own: its endpoint is no more. */
  readonly isForAll?: boolean;
};

/**
 * Whether a delivery is one of those that a release is about. What waits is if its slot is void,
 * and a retry if it only waits for the end of a block, as one by hand does whose slot is void.
 * Alerts of files have no replay.
 */
export function isWanted(
  delivery: Delivery,
  { wants, paceVersion = Infinity, isForAll = false }: Search,
): boolean {
  const { statuses, eventTypes, between } = wants;
  const { status, reason, paceVersion: slotVersion = 0 } = delivery;
  if (!(statuses as readonly string[]).includes(status)) return false;
  if (isForAll) return true;
  const isVoid = slotVersion < paceVersion;
  if (status === 'waiting' && !isVoid) return false;
  if (status === 'retrying' && reason !== BLOCKED && !(delivery.urgent && isVoid)) return false;
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
    ? ({ status: 'exhausted', reason: REPLAY_CANCELLED } as const)
    : { status, reason };
  return { ...delivery, replay: { id, spent, firstAtMs, ...was } };
}

/** The delivery as it was before its replay took it up. Undefined where that did not. */
export function giveBack(delivery: Delivery, { id }: Pick<Release, 'id'>): Delivery | undefined {
  return delivery.replay?.id === id ? beforeReplay(delivery) : undefined;
}

/** The delivery on its way again at a slot: what is at its end gets a full plan, others go on. */
export function releaseAt(delivery: Delivery, slot: Slot, nowMs: number): Delivery {
  const fresh = isFinal(delivery) ? { ...delivery, spent: 0, firstAtMs: undefined } : delivery;
  return wait(fresh, slot, nowMs);
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
