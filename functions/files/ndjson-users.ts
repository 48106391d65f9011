import { type MessagePart, messageParts } from '../shared/message-template.ts';
import { ROW_BYTES_ACCEPTED } from './csv-record.ts';
import type { AlertOrder } from './csv-users.ts';
import { FileFault, type RowFaultCode } from './file-fault.ts';
import { canBeId, type JsonField, textOf } from './json-row.ts';
import { LineBuffer } from './line-buffer.ts';
import { type NdjsonReader, NdjsonScanner } from './ndjson-scanner.ts';
import { Segments } from './segments.ts';
import type { TextEncoding } from './text-encoding.ts';
import { idFault, type UserRows } from './user-rows.ts';

/** Of one UTF-16 unit. */
const UTF8_BYTES_MAX = 3;

/** Makes alerts from the objects of an NDJSON text. */
export class NdjsonUsers implements NdjsonReader {
  readonly segments: Segments;
  readonly scanner: NdjsonScanner;
  readonly #users: UserRows;
  readonly #lines = new TextLines();
  readonly #idColumn: string;
  readonly #message: readonly MessagePart[] | undefined;
  readonly #fileJson: string;
  /** Objects so far, and those that have the field of the id. */
  #objects = 0;
  #objectsWithId = 0;

  constructor(order: AlertOrder, users: UserRows, encoding: TextEncoding) {
    const { fileId, fileName, idColumn, message } = order;
    if (typeof idColumn === 'number') {
      refuse('The fields of NDJSON have no numbers: `idColumn` has to be a name.');
    }
    this.#idColumn = idColumn;
    this.#message = message === undefined ? undefined : messageParts(message);
    this.#fileJson = `"fileId":${JSON.stringify(fileId)},"fileName":${JSON.stringify(fileName)}`;
    this.#users = users;
    this.scanner = new NdjsonScanner(this, encoding);
    this.segments = new Segments(this.#lines);
  }

  /** The scan is at its end. Throws FileFault when there are objects, and none has an id. */
  end(): void {
    if (this.#objects > 0 && this.#objectsWithId === 0) {
      refuse(`No object has a top-level field "${this.#idColumn}".`);
    }
    this.segments.end();
  }

  object(fields: readonly JsonField[], row: number, byte: number): void {
    const idField = fields.find(({ name }) => name === this.#idColumn);
    this.#objects += 1;
    if (idField) this.#objectsWithId += 1;
    const valueJson = idField?.valueJson ?? 'null';
    const id = Buffer.from(textOf(valueJson));
    const message = this.#messageOf(fields);
    const fault = idFaultOf(valueJson, id) ?? message.fault;
    if (fault) this.malformed(fault, row, byte);
    else if (this.#users.add(id)) {
      const others = fields.filter((it) => it !== idField);
      const user = `"userId":${JSON.stringify(id.toString())}${message.json}`;
      const columns = others.map((it) => `${it.nameJson}:${stringJson(it.valueJson)}`).join(',');
      this.#lines.add(`{${user},"row":${row},${this.#fileJson},"columns":{${columns}}}\n`);
      if (this.segments.endLine()) this.scanner.pause();
    }
  }

  malformed(code: RowFaultCode, row: number, byte: number): void {
    this.#users.malformed(code, row, byte);
  }

  #messageOf(fields: readonly JsonField[]): { readonly json: string; fault?: RowFaultCode } {
    if (!this.#message) return { json: '' };
    let text = '';
    for (const part of this.#message) {
      if (typeof part === 'string') text += part;
      else {
        const field = fields.find(({ name }) => name === part.column);
        if (!field) return { json: '', fault: 'message_column_missing' };
        text += textOf(field.valueJson);
      }
    }
    if (Buffer.byteLength(text) > ROW_BYTES_ACCEPTED) return { json: '', fault: 'row_too_long' };
    return { json: `,"message":${JSON.stringify(text)}` };
  }
}

function refuse(detail: string): never {
  throw new FileFault({ code: 'no_id_column', row: 0, byte: 0, detail });
}

function idFaultOf(valueJson: string, id: Uint8Array): RowFaultCode | undefined {
  if (valueJson === 'null') return 'id_empty';
  return canBeId(valueJson) ? idFault(id) : 'json_invalid';
}

/** A value as a JSON string. */
function stringJson(valueJson: string): string {
  return valueJson[0] === '"' ? valueJson : JSON.stringify(textOf(valueJson));
}

/** Lines that are put together as text. */
class TextLines extends LineBuffer {
  add(line: string): void {
    this.makeRoom(UTF8_BYTES_MAX * line.length);
    this.length += this.bytes.write(line, this.length);
  }
}
