import {
  FAULTS_LISTED_MAX,
  FileFault,
  type RowFault,
  type RowFaultCode,
  type RowFaultTotals,
} from './file-fault.ts';
import type { OnMalformed } from './file-terms.ts';
import { IdSet } from './id-set.ts';

/** An id above this is no id. */
export const ID_BYTES_MAX = 256;

/** rows = alerts + duplicates + malformed. */
export interface RowCounts {
  readonly rows: number;
  readonly alerts: number;
  readonly duplicates: number;
  readonly malformed: number;
  /** How many are malformed in each way; absent where none is. */
  readonly malformedBy?: RowFaultTotals | undefined;
}

/** Keeps count of the rows of one file: whose user is new, whose is not, and what is no row. */
export class UserRows {
  /** The first malformed rows. */
  readonly faults: RowFault[] = [];
  readonly #onMalformed: OnMalformed;
  readonly #ids = new IdSet();
  readonly #totals = new Map<RowFaultCode, number>();
  #duplicates = 0;
  #malformed = 0;

  constructor(onMalformed: OnMalformed) {
    this.#onMalformed = onMalformed;
  }

  /** Takes a well-formed row in. False when its user was there already. */
  add(id: Uint8Array): boolean {
    const isNew = this.#ids.add(id);
    if (!isNew) this.#duplicates += 1;
    return isNew;
  }

  /** A row that gets no alert. Throws FileFault where the file was announced to have none. */
  malformed(code: RowFaultCode, row: number, byte: number): void {
    if (this.#onMalformed === 'fail') {
      const detail = `Row ${row} is malformed, and the file was announced to have no such row.`;
      throw new FileFault({ code, row, byte, detail });
    }
    this.#malformed += 1;
    this.#totals.set(code, 1 + (this.#totals.get(code) ?? 0));
    if (this.faults.length < FAULTS_LISTED_MAX) this.faults.push({ row, byte, code });
  }

  get counts(): RowCounts {
    const [alerts, duplicates, malformed] = [this.#ids.size, this.#duplicates, this.#malformed];
    const counts = { rows: alerts + duplicates + malformed, alerts, duplicates, malformed };
    return malformed === 0 ? counts : { ...counts, malformedBy: Object.fromEntries(this.#totals) };
  }
}

/** What is wrong with an id, if anything. */
export function idFault(id: Uint8Array): RowFaultCode | undefined {
  if (id.length === 0) return 'id_empty';
  return id.length > ID_BYTES_MAX ? 'id_too_long' : undefined;
}
