import type { Fold } from './fold.ts';

/** What must be true of a ledger, whatever happens. docs/ledger.md says what each one means. */
export const INVARIANTS = ['L1', 'L2', 'L3', 'L4', 'L5', 'O1'] as const;

export type Invariant = (typeof INVARIANTS)[number];

/** Something that is not as it must be. */
export interface Finding {
  readonly invariant: Invariant;
  /** The account, record of the journal, or event in which it was found. */
  readonly id: string;
  readonly detail: string;
}

/** What was looked at. */
export interface Checked {
  readonly accounts: number;
  /** Lines of statements, each against the journal. */
  readonly entries: number;
  /** Posted transactions. */
  readonly transactions: number;
  /** Holds, and the records that let one go. */
  readonly holds: number;
  /** Events that tell of the ledger. */
  readonly events: number;
}

/** What one look has come to. */
export interface Gain {
  readonly checked: Partial<Checked>;
  readonly findings: readonly Finding[];
  /** Totals of shards that moved each time that their lines were read. */
  readonly undecided?: number;
}

/** The accounts, then `@world`, then the journal, then the events. */
export const PHASES = ['accounts', 'world', 'journal', 'events'] as const;

export type Phase = (typeof PHASES)[number];

/** Where the next step goes on. */
export interface Position {
  readonly phase: Phase;
  /** Which of its lists; of `world`, which currency. */
  readonly part: number;
  /** The place of the list that was dealt with last. */
  readonly after?: Readonly<Record<string, string>> | undefined;
  /** The accounts that it is in the midst of. */
  readonly folds: readonly Fold[];
  /** Currencies of the accounts so far: `@world` has a statement in each of them. */
  readonly currencies: readonly string[];
  /** How often in a row it had to wait for a statement to catch up. */
  readonly waits: number;
}

/** An examination of one tenant's ledger against its invariants, in steps. */
export interface Audit {
  readonly id: `aud_${string}`;
  readonly tenantId: string;
  /** `failed` has not looked at everything: `error` says why. */
  readonly status: 'running' | 'clean' | 'violated' | 'failed';
  /** What was posted later is left to the next audit. */
  readonly createdAtMs: number;
  readonly finishedAtMs?: number | undefined;
  /** Rises by one with each step: a step is saved by the one who took it first. */
  readonly step: number;
  /** How often the step was taken again because it had come to no end. */
  readonly repeats: number;
  readonly checked: Checked;
  readonly violations: Readonly<Record<Invariant, number>>;
  /** The first of them. */
  readonly offenders: readonly Finding[];
  readonly undecided: number;
  /** Undefined when everything was looked at. */
  readonly position?: Position | undefined;
  /** When somebody must see whether it goes on. */
  readonly dueMs?: number | undefined;
  readonly fingerprint?: string | undefined;
  readonly error?: AuditError | undefined;
}

/** Why an audit could not go on. */
export interface AuditError {
  readonly code: 'step_failed';
  readonly detail: string;
}

/** What a phase is given: where to go on, and how many rows it may look at. */
export interface Look {
  readonly audit: Audit;
  readonly position: Position;
  readonly rowsMax: number;
}

/** What it has come to: how far, and whether it must wait for a statement to catch up. */
export interface Advance {
  readonly gain: Gain;
  readonly rows: number;
  readonly position: Position | undefined;
  readonly isWaiting?: boolean;
}

/** How many offenders are kept; all are counted. */
export const OFFENDERS_MAX = 20;
const DETAIL_MAX = 300;

const NOTHING: Checked = { accounts: 0, entries: 0, transactions: 0, holds: 0, events: 0 };

/** An audit at its beginning. */
export function openAudit(
  terms: Pick<Audit, 'id' | 'tenantId' | 'fingerprint'>,
  nowMs: number,
): Audit {
  return {
    ...terms,
    status: 'running',
    createdAtMs: nowMs,
    step: 0,
    repeats: 0,
    checked: NOTHING,
    violations: { L1: 0, L2: 0, L3: 0, L4: 0, L5: 0, O1: 0 },
    offenders: [],
    undecided: 0,
    position: positionAt('accounts', []),
    dueMs: dueMsAfter(nowMs),
  };
}

/** The beginning of a phase. */
export function positionAt(phase: Phase, currencies: readonly string[]): Position {
  return { phase, part: 0, folds: [], currencies, waits: 0 };
}

/** The beginning of the next list: of the same phase, of the next one, or none at the end. */
export function nextPart(position: Position, parts: number): Position | undefined {
  const { phase, part, currencies } = position;
  if (part + 1 < parts) return { ...positionAt(phase, currencies), part: part + 1 };
  const next = PHASES[PHASES.indexOf(phase) + 1];
  return next && positionAt(next, currencies);
}

/** A step takes seconds; so long after it, it is lost. */
const LOST_AFTER_MS = 120_000;

/** When to see whether the step that begins at `startMs` was lost. */
export function dueMsAfter(startMs: number): number {
  return startMs + LOST_AFTER_MS;
}

/** What was gained by one step, and where the next one begins. */
export interface StepTaken {
  readonly gains: readonly Gain[];
  readonly position: Position | undefined;
  /** When the next one may begin, in milliseconds since 1970. */
  readonly nextMs: number;
}

/** The audit after one more step. Without a position it is at its end. */
export function takeStep(audit: Audit, { gains, position, nextMs }: StepTaken): Audit {
  const findings = gains.flatMap((it) => it.findings);
  const violations = { ...audit.violations };
  for (const { invariant } of findings) violations[invariant] += 1;
  const isClean = Object.values(violations).every((it) => it === 0);
  return {
    ...audit,
    step: audit.step + 1,
    repeats: 0,
    checked: gains.reduce((sum, it) => addChecked(sum, it.checked), audit.checked),
    violations,
    offenders: [...audit.offenders, ...findings.map(shortened)].slice(0, OFFENDERS_MAX),
    undecided: audit.undecided + gains.reduce((sum, it) => sum + (it.undecided ?? 0), 0),
    position,
    ...(position
      ? { dueMs: dueMsAfter(nextMs) }
      : { dueMs: undefined, finishedAtMs: nextMs, status: isClean ? 'clean' : 'violated' }),
  };
}

/** So often a step is taken again. One that never ends is a bug, or meets what is damaged. */
const REPEATS_MAX = 5;

/**
 * The audit when its step, which begins again now, had come to no end: once more, or `failed` when
 * that was so each time.
 */
export function repeatStep(audit: Audit, nowMs: number): Audit {
  if (audit.repeats < REPEATS_MAX) {
    return { ...audit, repeats: audit.repeats + 1, dueMs: dueMsAfter(nowMs) };
  }
  const { step, position } = audit;
  const detail = `Step ${step} (${position?.phase}) came to no end in ${1 + REPEATS_MAX} attempts.`;
  const error = { code: 'step_failed', detail } as const;
  return { ...audit, status: 'failed', finishedAtMs: nowMs, dueMs: undefined, error };
}

function addChecked(sum: Checked, more: Partial<Checked>): Checked {
  return {
    accounts: sum.accounts + (more.accounts ?? 0),
    entries: sum.entries + (more.entries ?? 0),
    transactions: sum.transactions + (more.transactions ?? 0),
    holds: sum.holds + (more.holds ?? 0),
    events: sum.events + (more.events ?? 0),
  };
}

function shortened({ invariant, id, detail }: Finding): Finding {
  return { invariant, id, detail: detail.slice(0, DETAIL_MAX) };
}

/** How many violations were found, of all invariants. */
export function violationsOf({ violations }: Pick<Audit, 'violations'>): number {
  return Object.values(violations).reduce((sum, it) => sum + it, 0);
}

/**
 * A statement is a second behind. What it still lacks after this time is missing. Clocks may
 * differ by half of it.
 */
export const PATIENCE_MS = 600_000;

/** How long to wait for a statement, in milliseconds: ever longer. */
export function waitMs(waits: number): number {
  return Math.min(60_000, 1_000 * 2 ** Math.min(waits, 6));
}
