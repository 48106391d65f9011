import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFault } from '../../functions/files/file-fault.ts';
import { FileReading, type ReadingOrder } from '../../functions/files/file-reading.ts';
import { cutAt } from './scan-text.ts';

/** All that a reading comes to. */
function read(file: Uint8Array, cuts: readonly number[] = [], given: Partial<ReadingOrder> = {}) {
  const order = { fileId: 'fil_1', fileName: 'a', idColumn: 'id', message: 'Hi {{b}}', ...given };
  const reading = new FileReading(order);
  const segments: string[] = [];
  try {
    for (const chunk of cutAt(file, cuts)) {
      for (const { bytes } of reading.read(chunk)) segments.push(Buffer.from(bytes).toString());
    }
    for (const { bytes } of reading.end()) segments.push(Buffer.from(bytes).toString());
  } catch (error) {
    if (!(error instanceof FileFault)) throw error;
    return { fault: error.facts };
  }
  const alerts = segments.flatMap((it) =>
    it
      .split('\n')
      .slice(0, -1)
      .map((it) => JSON.parse(it)),
  );
  return { alerts, faults: reading.faults, counts: reading.counts };
}

const utf16le = (text: string) => Buffer.from(text, 'utf16le');
const utf16be = (text: string) => utf16le(text).swap16();
const everyPlace = (file: Uint8Array) => Array.from({ length: file.length }, (_, at) => at);

const NASTIEST_CSV =
  '\ufeff\r\n"id";"b"";c";"b"\r\n\r\nu1;"x\r\n\r""y"";";\r\n"ü😀2";"";""""\r"u3"x;"a";b\n' +
  'u4\ud800;1;2\nu4;5" p;Ża\r\nu6;1;2;3\nu7;"";"""\r\n日本"\n\udc00;1;2\nu4;again;\n';
const NASTIEST_NDJSON =
  '\ufeff \n{"id":"u\\u00fc😀","b":null}\r\n\t\n{"id":12345678901234567890,"b":"\\ud83d\\ude42"}\n' +
  '{"id":"x","b":{"c":["]}\\"",1]}}\n{"id":"u4\ud800","b":1}\n{"b":1}\n[]\n{"id":"日"}\n' +
  '{"id":"日本","b":""}';

const NASTIEST: readonly [string, Buffer][] = [
  ['CSV in UTF-8', Buffer.from(NASTIEST_CSV)],
  ['CSV in UTF-16, low byte first', utf16le(NASTIEST_CSV)],
  ['CSV in UTF-16, high byte first', utf16be(NASTIEST_CSV)],
  ['CSV in UTF-16 that ends within a unit', utf16le(NASTIEST_CSV).subarray(0, -1)],
  ['CSV in windows-1252', Buffer.from('id,b\n\xfc,\x80\x81\n"\xe9\n",1\n\xfc,2', 'latin1')],
  ['NDJSON in UTF-8', Buffer.from(NASTIEST_NDJSON)],
  ['NDJSON in UTF-16', utf16be(NASTIEST_NDJSON)],
];

describe('the nastiest file', () => {
  it.each(NASTIEST)('as %s is the same wherever its chunks end', (_what, file) => {
    const given = { encoding: 'windows-1252' as const };
    const whole = read(file, [], given);
    expect(whole.counts?.rows).toBeGreaterThan(2);
    for (const place of everyPlace(file)) {
      expect(read(file, [place], given), `cut at ${place}`).toEqual(whole);
    }
    expect(read(file, everyPlace(file), given)).toEqual(whole);
  });

  it('has the same users in every encoding, and its malformed rows begin where they begin', () => {
    const { alerts, faults } = read(utf16le(NASTIEST_CSV));
    const lost = NASTIEST_CSV.replace(/[\ud800-\udfff](?<![\ud800-\udbff][\udc00-\udfff])/g, '');
    expect(alerts?.map((it) => it.userId)).toEqual(['u1', 'ü😀2', 'u4', 'u7']);
    expect(faults?.map((it) => it.code)).toEqual([
      'text_after_quote',
      'not_utf8',
      'column_count',
      'not_utf8',
    ]);
    const rowsBegin = ['"u3"x', 'u4\ud800', 'u6;1', '\udc00;1'];
    expect(lost).not.toBe(NASTIEST_CSV);
    expect(faults?.map((it) => it.byte)).toEqual(
      rowsBegin.map((it) => 2 * NASTIEST_CSV.indexOf(it)),
    );
  });
});

const piece = fc.constantFrom(
  'a',
  '"',
  '""',
  ',',
  ';',
  '\n',
  '\r\n',
  '\r',
  'ü',
  '日',
  '😀',
  ' ',
  '{',
  '\\',
);
const soup = fc.array(piece, { maxLength: 60 }).map((it) => it.join(''));
const places = fc.array(fc.nat(300), { maxLength: 10 });

/** [the setting, the file, how the header line is called]. */
const NO_TEXT: readonly [ReadingOrder['encoding'], Buffer, string][] = [
  [undefined, Buffer.from('id,\xfc\n', 'latin1'), 'UTF-8'],
  ['utf-8', Buffer.from('id,\xfc\n', 'latin1'), 'UTF-8'],
  ['utf-16', Buffer.from('id,b\nu1,1\nu2,2\n'), 'UTF-16LE'],
  ['utf-16le', Buffer.from('id,b\nu1,1\nu2,2\n'), 'UTF-16LE'],
  ['utf-16be', Buffer.from('id,b\nu1,1\nu2,2\n'), 'UTF-16BE'],
  // Its own mark wins.
  ['windows-1252', utf16be('\ufeffid,\ud800\n'), 'UTF-16BE'],
];

describe('a header line that is no text', () => {
  it.each(NO_TEXT)('in the encoding %s is called so', (encoding, file, name) => {
    const { fault } = read(file, [], { encoding, format: 'csv' });
    expect(fault).toEqual({
      ...{ code: 'not_text', row: 0, byte: expect.any(Number) },
      detail:
        `The header line is not ${name} text. Name the \`encoding\` in which the file is ` +
        'written, or save it as UTF-8.',
    });
  });
});

describe('any text', () => {
  it('comes to the same in UTF-8 and UTF-16, but for the bytes of its faults', () => {
    fc.assert(
      fc.property(soup, places, fc.boolean(), (rows, cuts, isBig) => {
        const text = `\ufeffid,b\n${rows}`;
        const plain = read(Buffer.from(text));
        const wide = read(isBig ? utf16be(text) : utf16le(text), cuts);
        const byteOf = (byte: number) => 2 * Buffer.from(text).subarray(0, byte).toString().length;
        expect(wide.alerts).toEqual(plain.alerts);
        expect(wide.counts).toEqual(plain.counts);
        expect(wide.fault?.byte).toBe(plain.fault && byteOf(plain.fault.byte ?? 0));
        expect(wide.faults).toEqual(plain.faults?.map((it) => ({ ...it, byte: byteOf(it.byte) })));
      }),
      { numRuns: 300 },
    );
  });

  it('of any bytes ends by a fault of the file or by counts that add up', () => {
    const bytes = fc.oneof(
      soup.map((it) => Buffer.from(it)),
      fc.uint8Array({ maxLength: 200 }),
    );
    const format = fc.constantFrom('csv' as const, 'ndjson' as const, undefined);
    fc.assert(
      fc.property(bytes, format, places, (rows, wanted, cuts) => {
        const file = Buffer.concat([Buffer.from(wanted === 'ndjson' ? '' : 'id,b\n'), rows]);
        const { counts, alerts, fault } = read(file, cuts, { format: wanted });
        if (fault) return;
        const { rows: all = 0, duplicates = 0, malformed = 0 } = counts ?? {};
        expect(all).toBe((alerts?.length ?? 0) + duplicates + malformed);
      }),
      { numRuns: 500 },
    );
  });
});

/** A JSON object in one of the ways in which it can be written. */
const jsonRow = fc
  .record({
    id: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }), fc.integer()),
    others: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
    }),
    isEscaped: fc.boolean(),
    blank: fc.constantFrom('', ' ', '\t', ' \r'),
  })
  .filter(({ id }) => typeof id === 'number' || id.isWellFormed())
  .filter(({ others }) => JSON.stringify(others).isWellFormed())
  .map(({ id, others, isEscaped, blank }) => {
    const object = { ...others, id, b: 'x' };
    const plain = JSON.stringify(object);
    const escaped = (it: string) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`;
    const text = isEscaped ? plain.replaceAll(/[^ -~]/g, escaped) : plain;
    return { object, line: `${blank}${text}${blank}` };
  });

describe('random objects', () => {
  it('are read as JSON.parse reads them, wherever they are cut', () => {
    fc.assert(
      fc.property(fc.array(jsonRow, { minLength: 1, maxLength: 10 }), places, (rows, cuts) => {
        const file = Buffer.from(rows.map((it) => it.line).join('\n'));
        const { alerts, counts } = read(file, cuts, { format: 'ndjson' });
        const firsts = new Map(rows.toReversed().map(({ object }) => [String(object.id), object]));
        expect(counts?.malformed).toBe(0);
        expect(new Set(alerts?.map((it) => it.userId))).toEqual(new Set(firsts.keys()));
        for (const { userId, columns } of alerts ?? []) {
          const { id: _, ...others } = firsts.get(userId) ?? { id: 0 };
          const texts = Object.entries(others).map(([name, value]) => [name, textOf(value)]);
          expect(new Map(Object.entries(columns))).toEqual(new Map(texts as [string, string][]));
        }
      }),
      { numRuns: 300 },
    );
  });
});

function textOf(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
