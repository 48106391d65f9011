import type { AlertFile } from './file.ts';

/** Where the upload lies in the bucket. */
export function uploadKey(file: Pick<AlertFile, 'tenantId' | 'id' | 'objectKey'>): string {
  return file.objectKey ?? `incoming/${file.tenantId}/${file.id}`;
}

/** Where the lines of many blocks lie. */
export function segmentKey(file: Pick<AlertFile, 'id' | 'readings'>, segment: number): string {
  return `${workFolder(file)}/s-${sixDigits(segment)}.ndjson`;
}

/** Where the places of all blocks are listed. */
export function indexKey(file: Pick<AlertFile, 'id' | 'readings'>): string {
  return `${workFolder(file)}/index.ndjson`;
}

/** Where the malformed rows are listed. */
export function faultsKey(file: Pick<AlertFile, 'id' | 'readings'>): string {
  return `${workFolder(file)}/errors.ndjson`;
}

/** Where the results of a finished block lie. */
export function resultsKey({ id }: Pick<AlertFile, 'id'>, block: number): string {
  return `results/${id}/b-${sixDigits(block)}.ndjson`;
}

/** Where the results are collected that somebody wants as one object. */
export function exportKey({ id }: Pick<AlertFile, 'id'>, name: string): string {
  return `results/${id}/export-${name}.ndjson`;
}

/** Each reading has its own, so that a parser which comes back from the dead disturbs nobody. */
function workFolder({ id, readings }: Pick<AlertFile, 'id' | 'readings'>): string {
  return `work/${id}/${readings}`;
}

/** So that names sort as numbers. */
export function sixDigits(number: number): string {
  return String(number).padStart(6, '0');
}
