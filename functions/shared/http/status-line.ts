import { Buffer } from 'node:buffer';

/** An answer before the answer: 1xx with its headers. */
const INTERIM = String.raw`HTTP/1\.[01] 1\d\d[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n`;
const FINAL = String.raw`HTTP/1\.[01] ([2-9]\d\d)(?: [^\n]*)?\r?\n`;
/** Blank lines before it are tolerated, as Node does. */
const FINAL_STATUS = new RegExp(String.raw`^[\r\n]*(?:${INTERIM})*${FINAL}`);

/** A status line is far shorter, and interim answers do not fill more than this. */
const HEAD_BYTES_MAX = 16_384;

/**
 * The final status in the first bytes of an HTTP/1.1 answer whose headers never ended, so that
 * Node did not report it. Undefined until the whole line, with its line end, is there.
 */
export function findStatusLine(received: readonly Buffer[]): number | undefined {
  const head = Buffer.concat(received).subarray(0, HEAD_BYTES_MAX).toString('latin1');
  const status = FINAL_STATUS.exec(head)?.[1];
  return status === undefined ? undefined : Number(status);
}
