import { S3Refusal } from './refusal.ts';

const LINE_BYTES_MAX = 4_096;
const NEWLINE = Buffer.from('\r\n');

/**
 * Takes the bytes out of an `aws-chunked` body: `size;chunk-signature=…`, the bytes, and trailers
 * after the last chunk. Signatures and trailing checksums are passed over. Refuses a body that
 * ends too early.
 */
export async function* withoutChunks(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  let left = 0;
  let afterChunk = false;
  for await (const bytes of source) {
    rest = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
    while (rest.length > 0) {
      if (left > 0) {
        const part = rest.subarray(0, left);
        yield part;
        left -= part.length;
        rest = rest.subarray(part.length);
        afterChunk = left === 0;
        continue;
      }
      const end = rest.indexOf(NEWLINE);
      if (end < 0) {
        if (rest.length > LINE_BYTES_MAX) throw malformed();
        break;
      }
      const line = rest.subarray(0, end).toString('latin1');
      rest = rest.subarray(end + NEWLINE.length);
      if (afterChunk && line === '') {
        afterChunk = false;
        continue;
      }
      left = Number.parseInt(line.split(';')[0] ?? '', 16);
      if (!(left >= 0)) throw malformed();
      // The last chunk is empty; what follows are trailers.
      if (left === 0) return drain(source);
    }
  }
  throw malformed();
}

const malformed = () => new S3Refusal(400, 'IncompleteBody', 'The chunked body is not complete');

async function drain(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of source);
}
