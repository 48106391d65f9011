import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutAt, scanChunks, scanText } from './scan-text.ts';

const NASTIEST = Buffer.concat([
  Buffer.from('\ufeff\r\n"user_id";"a ""b"";c";"日本"\r\n\r\n'),
  Buffer.from('u1;"x\r\n\r""y"";";\r\n"ü😀2";"";""""\r"u3"x;"a";b\nu4;"a\n'),
  Buffer.from([0xff, 0x22, 0x3b, 0x0a]),
  Buffer.from('\n\r\n\ru5;5" pipe;Ża\r\nu6;1;2;3\nu7;"";"""'),
]);

describe('chunk borders', () => {
  it('at every byte of the nastiest file change nothing', () => {
    const whole = scanText(NASTIEST);
    expect(whole.rows.length + whole.malformed.length).toBeGreaterThan(5);
    expect(whole.fault).toMatchObject({ code: 'unclosed_quote', row: 7 });
    for (let place = 0; place <= NASTIEST.length; place += 1) {
      expect(scanChunks(cutAt(NASTIEST, [place])), `cut at ${place}`).toEqual(whole);
    }
  });

  it('between all bytes of the nastiest file change nothing', () => {
    const everywhere = Array.from({ length: NASTIEST.length }, (_, i) => i);
    expect(scanChunks(cutAt(NASTIEST, everywhere))).toEqual(scanText(NASTIEST));
  });
});

const piece = fc.constantFrom(
  'u1',
  '"',
  '""',
  ',',
  ';',
  '\n',
  '\r',
  '\r\n',
  'ü',
  '日本',
  '😀',
  ' ',
);
const soup = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join('')));
const places = fc.array(fc.nat(200), { maxLength: 12 });
const field = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** A well-formed file: every field quoted that needs it, and some that do not. */
const wellFormed = fc
  .record({
    rows: fc.array(fc.tuple(field, field, field), { maxLength: 20 }),
    separator: fc.constantFrom(',', ';', '\t', '|'),
    lineBreak: fc.constantFrom('\n', '\r\n', '\r'),
    quoteAll: fc.boolean(),
    lastBreak: fc.boolean(),
  })
  .map(({ rows, separator, lineBreak, quoteAll, lastBreak }) => {
    const write = (text: string) => (quoteAll || /[",;\t|\r\n]/.test(text) ? quote(text) : text);
    const lines = [['id', 'b', 'c'], ...rows].map((row) => row.map(write).join(separator));
    const file = lines.join(lineBreak) + (lastBreak ? lineBreak : '');
    return { file: Buffer.from(file), separator, rows };
  });

describe('random files', () => {
  it('are read as csv-parse reads them, wherever they are cut', () => {
    fc.assert(
      fc.property(wellFormed, places, ({ file, separator, rows }, cuts) => {
        const oracle = parse(file, {
          delimiter: separator,
          record_delimiter: ['\r\n', '\n', '\r'],
        }).slice(1);
        const scan = scanChunks(cutAt(file, cuts));
        expect(oracle).toEqual(rows);
        expect(scan).toMatchObject({ rows: oracle, malformed: [] });
      }),
      { numRuns: 500 },
    );
  });

  it('of any bytes give the same answer wherever they are cut', () => {
    const bytes = fc.oneof(soup, fc.uint8Array({ maxLength: 60 }));
    const file = bytes.map((it) => Buffer.concat([Buffer.from('id,b\n'), it]));
    fc.assert(
      fc.property(file, places, (whole, cuts) => {
        expect(scanChunks(cutAt(whole, cuts))).toEqual(scanText(whole));
      }),
      { numRuns: 1_000 },
    );
  });
});
