import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { FileError, RowFaultCode } from '../../functions/files/file-fault.ts';
import type { FileTerms } from '../../functions/files/file-terms.ts';

/** What a file comes to. What is left out is not there: no users, no malformed rows, no fault. */
export interface Wanted {
  /** `row userId` of each alert. */
  readonly users?: readonly string[];
  readonly duplicates?: number;
  /** `row byte code` of each malformed row. */
  readonly malformed?: readonly `${number} ${number} ${RowFaultCode}`[];
  /** The file fails by this. */
  readonly error?: Omit<FileError, 'detail'>;
  /** The columns, or the message, of the first alert. */
  readonly columns?: Readonly<Record<string, string>>;
  readonly message?: string;
}

/** A small file: a dialect, a hostile one, or an odd one. */
export type OddFile = [
  what: string,
  content: string | Buffer,
  wanted: Wanted,
  terms?: Partial<FileTerms>,
];

export const utf16 = (text: string) => Buffer.from(text, 'utf16le');
export const utf16be = (text: string) => utf16(text).swap16();
export const latin1 = (text: string) => Buffer.from(text, 'latin1');
export const gzip = (text: string | Buffer) => gzipSync(Buffer.from(text));
export const zstd = (text: string | Buffer) => zstdCompressSync(Buffer.from(text));
export const bytes = (...parts: readonly (string | Buffer | number[])[]) =>
  Buffer.concat(parts.map((it) => Buffer.from(it as Buffer)));
export const fault = (code: FileError['code'], row: number, byte: number): Wanted => ({
  error: { code, row, byte },
});
