import type { Account } from '../ledger/account.ts';
import type { StandingLine } from '../ledger/statement.ts';
import type { Item } from '../shared/world.ts';
import { compareAccount, foldLine, missing } from './account-fold.ts';
import { type Finding, type Gain, PATIENCE_MS } from './audit.ts';
import type { AccountFold, Fold, Standpoint } from './fold.ts';
import type { LineRecord } from './journal-record.ts';

/** What became of a fold. Without one, the account is done with. */
export interface FoldAdvance {
  readonly gain: Gain;
  readonly rows: number;
  readonly fold?: Fold | undefined;
  readonly isWaiting?: boolean;
}

/** One account's lines, one after the other. */
export class AccountWalk {
  readonly #account: Account;
  readonly #fold: AccountFold;
  readonly #nowMs: number;
  readonly #findings: Finding[] = [];
  #at: Standpoint;
  #rows = 0;
  #isWaiting = false;
  isDone: boolean;
  after: string | undefined;

  constructor(account: Account, fold: AccountFold, nowMs: number) {
    this.#account = account;
    this.#fold = fold;
    this.#nowMs = nowMs;
    this.#at = fold.at;
    this.after = fold.after;
    this.isDone = fold.at.seq >= account.seq;
  }

  /** Whether the next line is wanted. */
  take({ sk }: Item, line: StandingLine, record: LineRecord | undefined): boolean {
    if (this.isDone) return false;
    const { seq, lastLegMs } = this.#account;
    const isBeyond = line.standing.seq > seq;
    if (isBeyond && line.atMs <= lastLegMs) {
      this.#rogue(line);
    } else if (line.standing.seq > this.#at.seq + 1 && this.#waitsFor(line.atMs)) {
      return false;
    } else if (isBeyond) {
      this.#lack(seq);
      return false;
    } else {
      const folded = foldLine(this.#account, { line, record }, this.#at);
      this.#findings.push(...folded.findings);
      this.#at = folded.at;
      this.isDone = this.#at.seq === seq;
    }
    this.#rows += 1;
    this.after = String(sk);
    return true;
  }

  /** A line that cannot be read. The next one shows the gap. */
  passOver({ sk }: Item): boolean {
    if (this.isDone) return false;
    this.#rows += 1;
    this.after = String(sk);
    return true;
  }

  /** There are no more lines. */
  end(): void {
    const { seq, lastLegMs } = this.#account;
    if (this.isDone || this.#isWaiting || this.#waitsFor(lastLegMs)) return;
    this.#lack(seq);
  }

  advance(more: readonly Finding[] = []): FoldAdvance {
    const rows = Math.max(1, this.#rows);
    const checked = { entries: this.#rows, accounts: this.isDone ? 1 : 0 };
    if (!this.isDone) {
      const fold = { ...this.#fold, at: this.#at, ...(this.after && { after: this.after }) };
      const gain = { checked, findings: this.#findings };
      return { gain, rows, fold, isWaiting: this.#isWaiting };
    }
    const { avail: available, room = null } = this.#fold.target;
    const stored = { account: this.#account, available: big(available), room: big(room) };
    const findings = [...this.#findings, ...compareAccount(stored, this.#at), ...more];
    return { gain: { checked, findings }, rows };
  }

  /** The statement may not have come so far yet. */
  #waitsFor(atMs: number): boolean {
    this.#isWaiting = this.#nowMs - atMs < PATIENCE_MS;
    return this.#isWaiting;
  }

  #lack(seq: number): void {
    this.#findings.push(missing(this.#account.id, this.#at.seq + 1, seq));
    this.isDone = true;
  }

  #rogue({ standing, transactionId, holdId }: StandingLine): void {
    const { id, seq } = this.#account;
    const detail = `line ${standing.seq} of ${id} names it, beyond the entry ${seq}`;
    this.#findings.push({ invariant: 'L3', id: transactionId ?? holdId ?? id, detail });
  }
}

/** A stored amount as the ledger counts it. */
function big(stored: unknown): unknown {
  return typeof stored === 'number' ? BigInt(stored) : stored;
}
