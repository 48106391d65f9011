import type { RowFault } from './file-fault.ts';

/** Each entry of the list of malformed rows is padded to this, so that one range is one page. */
export const FAULT_ENTRY_BYTES = 80;

/** The list as it is stored: NDJSON, whose blanks at the ends of lines mean nothing. */
export function faultLines(faults: readonly RowFault[]): Uint8Array {
  const lines = faults.map((it) => `${JSON.stringify(it).padEnd(FAULT_ENTRY_BYTES - 1)}\n`);
  return Buffer.from(lines.join(''));
}
