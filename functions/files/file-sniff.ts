import { KIB } from '../shared/units.ts';
import { FileFault } from './file-fault.ts';
import type { FileFormat, FileTerms } from './file-terms.ts';
import { type TextEncoding, transcoderFor } from './text-encoding.ts';

/** So much of a file is looked at before it is read. */
export const FRONT_BYTES = 8 * KIB;

/** What the file was announced with; what is absent is found out. */
export type FormatWanted = Pick<FileTerms, 'format' | 'encoding'>;

/** What the file is. */
export interface FormatFound {
  readonly format: FileFormat;
  readonly encoding: TextEncoding;
}

const MARKS: readonly [TextEncoding, readonly number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];
/** What tells one kind of ZIP archive from all others: names in its first bytes. */
const PARTS_OF_WORKBOOKS = ['[Content_Types].xml', 'xl/', '_rels/'];

/** Files that people take for text, by their first bytes. */
const BINARIES: readonly [bytes: readonly number[], detail: string][] = [
  [
    [0x50, 0x4b, 0x03, 0x04],
    'The file is a ZIP archive. Upload what is in it; gzip and zstd are unpacked, ZIP is not.',
  ],
  [[0x25, 0x50, 0x44, 0x46, 0x2d], 'The file is a PDF document, not text.'],
  [[0x1f, 0x8b], 'The file is packed twice. Unpack it once and upload it again.'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'The file is packed twice. Unpack it once and upload it again.'],
];
const NUL_DETAIL =
  'The file begins with NUL bytes: it is not text, or it is UTF-16 without a byte order mark, ' +
  'which `encoding` has to say.';
const OLD_WORKBOOK = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/**
 * Finds out how to read a file from its first `FRONT_BYTES` bytes, or from all of them where it
 * has fewer. Throws FileFault when they are no text.
 */
export function sniffFile(front: Uint8Array, wanted: FormatWanted): FormatFound {
  refuseBinary(front);
  const encoding = encodingOf(front, wanted.encoding);
  const text = transcoderFor(encoding).push(front);
  if (text.includes(0)) refuse('not_text', NUL_DETAIL);
  return { encoding, format: wanted.format ?? formatOf(text) };
}

function refuse(code: 'not_text' | 'xlsx', detail: string): never {
  throw new FileFault({ code, row: 0, byte: 0, detail });
}

function refuseBinary(front: Uint8Array): void {
  const isWorkbook = beginsWith(front, OLD_WORKBOOK) || isZippedWorkbook(front);
  if (isWorkbook) refuse('xlsx', 'The file is an Excel workbook. Save the sheet as CSV.');
  const binary = BINARIES.find(([bytes]) => beginsWith(front, bytes));
  if (binary) refuse('not_text', binary[1]);
}

function isZippedWorkbook(front: Uint8Array): boolean {
  if (!beginsWith(front, [0x50, 0x4b, 0x03, 0x04])) return false;
  const text = Buffer.from(front).toString('latin1');
  return PARTS_OF_WORKBOOKS.some((it) => text.includes(it));
}

/** The file's own mark says it best; where it has none, the setting does. */
function encodingOf(front: Uint8Array, wanted: FormatWanted['encoding']): TextEncoding {
  const marked = MARKS.find(([, mark]) => beginsWith(front, mark));
  if (marked) return marked[0];
  if (wanted !== 'utf-16') return wanted ?? 'utf-8';
  // The high byte of most characters is 0, and with the high byte first it is at an even place.
  const isZeroAt = (parity: number) =>
    front.reduce((sum, byte, at) => (byte === 0 && at % 2 === parity ? sum + 1 : sum), 0);
  return isZeroAt(0) > isZeroAt(1) ? 'utf-16be' : 'utf-16le';
}

/** No header line begins like an object. */
function formatOf(text: Uint8Array): FileFormat {
  const front = Buffer.from(text).toString('utf8').replace('\ufeff', '').trimStart();
  return front.startsWith('{') ? 'ndjson' : 'csv';
}

function beginsWith(front: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, at) => front[at] === byte);
}
