import type { Receipt } from '../shared/aws/batch.ts';
import { SECOND_MS } from '../shared/units.ts';
import type { World } from '../shared/world.ts';
import { auditKey, findAuditAt, saveAudit } from './audit.store.ts';
import {
  type Advance,
  type Audit,
  type Gain,
  type Look,
  type Phase,
  repeatStep,
  type StepTaken,
  takeStep,
  violationsOf,
  waitMs,
} from './audit.ts';
import { type AuditMessage, auditMessage } from './audit-message.ts';
import { checkAccounts, checkWorld } from './check-accounts.ts';
import { checkEvents } from './check-events.ts';
import { checkJournal } from './check-journal.ts';

type Needs = Pick<World, 'clock' | 'db' | 'log' | 'metrics' | 'queues'>;

/** How much one step may do. It ends within one more look. */
export interface StepSize {
  readonly rowsMax: number;
  readonly timeMaxMs: number;
}

/** A few seconds, so that little is lost with a step, and a caller sees how far it has come. */
const STEP_SIZE: StepSize = { rowsMax: 5_000, timeMaxMs: 20 * SECOND_MS };

/** What was begun has this time left to end and be saved. */
const ENDING_MS = 20 * SECOND_MS;
/** The sweeper may come this much before the time. */
const EARLY_MS = 2 * SECOND_MS;

/** What each phase of an audit looks at. */
export const CHECKS: Readonly<
  Record<Phase, (world: Pick<Needs, 'clock' | 'db'>, look: Look) => Promise<Advance>>
> = {
  accounts: checkAccounts,
  world: checkWorld,
  journal: checkJournal,
  events: checkEvents,
};

/**
 * The next step of an audit: looks at some rows, saves what was found and how far it has come by
 * one write, and sends the message of the step after it. Of two workers with the same step one is
 * refused, so nothing is counted twice; a step that dies is taken again.
 */
export async function takeAuditStep(
  message: AuditMessage,
  world: Needs,
  { deadlineMs, size = STEP_SIZE }: Pick<Receipt, 'deadlineMs'> & { readonly size?: StepSize },
): Promise<void> {
  const { clock, db } = world;
  const found = await findAuditAt(db, { pk: message.pk, sk: message.sk });
  if (found && endedBy(found, message)) return tellEnd(found, world);
  if (!found || !isWanted(found, message, clock.nowMs())) return;
  const audit = message.step === undefined ? await beginAgain(found, world) : found;
  if (!audit) return;
  const stopMs = Math.min(clock.nowMs() + size.timeMaxMs, deadlineMs - ENDING_MS);
  const taken = await lookOn(audit, world, { stopMs, rowsMax: size.rowsMax });
  const next = takeStep(audit, taken);
  const commit = await db.commit(saveAudit(audit, next, clock.nowMs()));
  if (!commit.ok) await tellLost(audit, world);
  else if (next.status === 'running') await sendNext(next, taken.nextMs, world);
  else tellEnd(next, world);
}

/**
 * The sweeper comes when a step has not ended in time: its message was lost, or it failed. The
 * attempt is counted before it is made, so that one that kills the worker counts, too. Undefined
 * when there is none any more, or somebody else makes it.
 */
async function beginAgain(audit: Audit, world: Needs): Promise<Audit | undefined> {
  const nowMs = world.clock.nowMs();
  const again = repeatStep(audit, nowMs);
  const commit = await world.db.commit(saveAudit(audit, again, nowMs));
  if (!commit.ok) await tellLost(audit, world);
  else if (again.status === 'running') return again;
  else tellEnd(again, world);
  return undefined;
}

/** Somebody else has taken the step. If it was the last, he may not live to tell of the end. */
async function tellLost({ tenantId, id }: Audit, world: Needs): Promise<void> {
  world.log.info('audit.step-lost', { tenantId, auditId: id });
  const audit = await findAuditAt(world.db, auditKey(tenantId, id));
  if (audit && audit.status !== 'running') tellEnd(audit, world);
}

/**
 * Whether the message is that of the audit's last step. It comes again when its worker died, maybe
 * before he told of the end: told twice is harmless, never is not.
 */
function endedBy({ status, step }: Audit, message: AuditMessage): boolean {
  if (status === 'running') return false;
  return message.step === undefined || message.step === step - 1;
}

/** An older message comes to nothing, and so does the sweeper's while somebody is at it. */
function isWanted(audit: Audit, { step }: AuditMessage, nowMs: number): boolean {
  if (audit.status !== 'running') return false;
  if (step !== undefined) return step === audit.step;
  return (audit.dueMs ?? 0) <= nowMs + EARLY_MS;
}

interface Budget {
  readonly stopMs: number;
  readonly rowsMax: number;
}

async function lookOn(audit: Audit, world: Needs, { stopMs, rowsMax }: Budget): Promise<StepTaken> {
  const gains: Gain[] = [];
  let rowsLeft = rowsMax;
  let { position } = audit;
  do {
    if (!position) break;
    const look = { audit, position, rowsMax: rowsLeft };
    const advance: Advance = await CHECKS[position.phase](world, look);
    gains.push(advance.gain);
    rowsLeft -= advance.rows;
    position = advance.position;
    if (advance.isWaiting && position) {
      const nextMs = world.clock.nowMs() + waitMs(position.waits);
      return { gains, position: { ...position, waits: position.waits + 1 }, nextMs };
    }
  } while (rowsLeft > 0 && world.clock.nowMs() < stopMs);
  return { gains, position, nextMs: world.clock.nowMs() };
}

async function sendNext(
  { tenantId, id, step }: Audit,
  atMs: number,
  { log, queues }: Needs,
): Promise<void> {
  try {
    await queues.send('audits', [auditMessage(auditKey(tenantId, id), step, atMs)]);
  } catch (error) {
    // The sweeper sends it when the audit is due.
    log.warn('message.lost', { queue: 'audits', error });
  }
}

function tellEnd(audit: Audit, { log, metrics }: Needs): void {
  const { id, tenantId, status, checked, violations, offenders, undecided, error } = audit;
  const facts = { tenantId, auditId: id, checked, violations, undecided, steps: audit.step };
  if (status === 'clean') {
    log.info('audit.clean', facts);
    return;
  }
  if (error) {
    log.error('audit.failed', { ...facts, offenders, reason: error.detail });
    metrics.count('AuditsFailed');
    return;
  }
  log.error('audit.violated', { ...facts, offenders });
  metrics.count('AuditViolations', violationsOf(audit));
}
