import { S3Refusal } from './refusal.ts';

/** Quota of everything in a form but the file. */
const FIELDS_BYTES_MAX = 20 * 1_024;
const HEADERS_END = '\r\n\r\n';

/** The fields of an upload form by lower-case name, and the bytes of the file that ends it. */
export interface UploadForm {
  readonly fields: ReadonlyMap<string, string>;
  readonly fileName: string;
  readonly file: AsyncIterable<Uint8Array>;
}

/**
 * Reads `multipart/form-data` up to its file, which is read as it comes. Fields after the file
 * are passed over, as in S3. Refuses a form without a file.
 */
export async function readForm(
  contentType: string,
  source: AsyncIterable<Uint8Array>,
): Promise<UploadForm> {
  const boundary = contentType
    .match(/boundary=(?:"([^"]+)"|([^;]+))/)
    ?.slice(1)
    .find(Boolean);
  if (!boundary) throw malformed('The body is not a form');
  const reader = new PartReader(boundary, source);
  const fields = new Map<string, string>();
  for (;;) {
    const header = await reader.nextHeader();
    if (header === undefined) throw malformed('The form has no file');
    const name = header.match(/[; ]name="([^"]*)"/i)?.[1]?.toLowerCase() ?? '';
    if (name === 'file') {
      const fileName = header.match(/filename="([^"]*)"/i)?.[1] ?? '';
      return { fields, fileName, file: reader.content() };
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.content()) chunks.push(chunk);
    fields.set(name, Buffer.concat(chunks).toString('utf8'));
    if (reader.bytesRead > FIELDS_BYTES_MAX) {
      throw new S3Refusal(400, 'MaxPostPreDataLengthExceeded', 'The form fields are too large');
    }
  }
}

const malformed = (message: string) => new S3Refusal(400, 'MalformedPOSTRequest', message);

/** Walks through the parts of a multipart body, never holding more than a chunk of it. */
class PartReader {
  /** Bytes of the parts that were passed so far. */
  bytesRead = 0;
  readonly #delimiter: Buffer;
  readonly #source: AsyncIterator<Uint8Array>;
  /** A part is ended by a newline and the boundary; before the first there is no newline. */
  #rest: Buffer = Buffer.from('\r\n');

  constructor(boundary: string, source: AsyncIterable<Uint8Array>) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`);
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The header lines of the next part; undefined at the end of the form. */
  async nextHeader(): Promise<string | undefined> {
    if (this.bytesRead === 0) for await (const _ of this.content());
    while (this.#rest.length < 2) await this.#more();
    if (this.#rest.subarray(0, 2).toString() === '--') return undefined;
    let end = this.#rest.indexOf(HEADERS_END);
    while (end < 0) {
      if (this.#rest.length > FIELDS_BYTES_MAX) throw malformed('A header is too large');
      await this.#more();
      end = this.#rest.indexOf(HEADERS_END);
    }
    const header = this.#rest.subarray(0, end).toString('utf8');
    this.#rest = this.#rest.subarray(end + HEADERS_END.length);
    return header;
  }

  /** The bytes up to the next boundary. */
  async *content(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const end = this.#rest.indexOf(this.#delimiter);
      // What may be the beginning of a boundary is kept until more is known.
      const sure = end < 0 ? this.#rest.length - this.#delimiter.length + 1 : end;
      if (sure > 0) {
        const part = this.#rest.subarray(0, sure);
        this.bytesRead += part.length;
        this.#rest = this.#rest.subarray(sure);
        yield part;
      }
      if (end >= 0) {
        this.#rest = this.#rest.subarray(this.#delimiter.length);
        this.bytesRead += this.#delimiter.length;
        return;
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.next();
    if (done) throw malformed('The form is not complete');
    this.#rest = this.#rest.length === 0 ? Buffer.from(value) : Buffer.concat([this.#rest, value]);
  }
}
