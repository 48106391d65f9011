import { describe, expect, it } from 'vitest';
import {
  FIELD_BYTES_MAX,
  ROW_BYTES_ACCEPTED,
  ROW_BYTES_MAX,
} from '../../functions/files/csv-record.ts';
import { cutAt, scanChunks, scanText } from './scan-text.ts';

/** [what it is, the file, its rows as the scanner must see them]. */
const FILES: readonly [string, string, string[][]][] = [
  [
    'a plain file',
    'id,name\nu1,Ann\nu2,Bob\n',
    [
      ['u1', 'Ann'],
      ['u2', 'Bob'],
    ],
  ],
  ['a last line without a line break', 'id,name\nu1,Ann', [['u1', 'Ann']]],
  [
    'CRLF',
    'id,name\r\nu1,Ann\r\nu2,Bob\r\n',
    [
      ['u1', 'Ann'],
      ['u2', 'Bob'],
    ],
  ],
  [
    'CR alone',
    'id,name\ru1,Ann\ru2,Bob\r',
    [
      ['u1', 'Ann'],
      ['u2', 'Bob'],
    ],
  ],
  ['all three line breaks in one file', 'id\nu1\r\nu2\ru3\n', [['u1'], ['u2'], ['u3']]],
  ['semicolons', 'id;name\nu1;Ann, B.\n', [['u1', 'Ann, B.']]],
  ['tabs', 'id\tname\nu1\tAnn\n', [['u1', 'Ann']]],
  ['pipes', 'id|name\nu1|Ann\n', [['u1', 'Ann']]],
  ['more semicolons than commas in the header', 'id;a,b;c\nu1;2;3\n', [['u1', '2', '3']]],
  ['as many commas as semicolons', 'id,a;b\nu1,2;3\n', [['u1', '2;3']]],
  ['a separator within a quoted name', '"a;b;c",id\nx,u1\n', [['x', 'u1']]],
  ['one column', 'id\nu1\nu2\n', [['u1'], ['u2']]],
  ['a byte order mark', '\ufeffid,name\nu1,Ann\n', [['u1', 'Ann']]],
  ['a byte order mark before a quoted name', '\ufeff"id",b\nu1,2\n', [['u1', '2']]],
  [
    'blank lines everywhere',
    '\n\r\nid,b\n\nu1,2\r\n\r\n\nu2,3\n\n',
    [
      ['u1', '2'],
      ['u2', '3'],
    ],
  ],
  ['quoted fields', 'id,b\n"u1","x"\n', [['u1', 'x']]],
  ['a separator within quotes', 'id,b\nu1,"x,y"\n', [['u1', 'x,y']]],
  ['line breaks within quotes', 'id,b\nu1,"x\ny\r\nz\r"\n', [['u1', 'x\ny\r\nz\r']]],
  ['a blank line within quotes', 'id,b\nu1,"x\n\ny"\n', [['u1', 'x\n\ny']]],
  ['doubled quotes', 'id,b\nu1,"say ""hi"""\n', [['u1', 'say "hi"']]],
  ['nothing but doubled quotes', 'id,b\nu1,""""""\n', [['u1', '""']]],
  ['an empty quoted field', 'id,b\nu1,""\n', [['u1', '']]],
  ['an empty quoted field as a whole line', 'id\n""\nu1\n', [[''], ['u1']]],
  ['empty fields', 'a,id,c\n,u1,\n', [['', 'u1', '']]],
  ['a quote within an unquoted field', 'id,b\nu1,5" pipe\n', [['u1', '5" pipe']]],
  ['a quote behind a blank', 'id,b\nu1, "x"\n', [['u1', ' "x"']]],
  ['blanks around fields', 'id,b\n u1 ,\tx \n', [[' u1 ', '\tx ']]],
  ['a line of blanks', 'id\n  \n', [['  ']]],
  ['a quoted field at the end of the file', 'id,b\nu1,"x"', [['u1', 'x']]],
  ['a doubled quote at the end of the file', 'id,b\nu1,"x"""', [['u1', 'x"']]],
  ['a separator at the end of the file', 'id,b\nu1,', [['u1', '']]],
  ['text of many bytes a character', 'id,b\nŻółć,"日本, 😀"\n', [['Żółć', '日本, 😀']]],
  ['a NUL', 'id,b\nu1,x\0y\n', [['u1', 'x\0y']]],
  ['a line separator of Unicode', 'id,b\nu1,x\u2028y\n', [['u1', 'x\u2028y']]],
  ['only a header', 'id,name\n', []],
  ['a header without a line break', 'id,name', []],
];

describe('the scanner reads', () => {
  it.each(FILES)('%s', (_what, file, rows) => {
    expect(scanText(file)).toMatchObject({ rows, malformed: [] });
    expect(scanText(file).fault).toBeUndefined();
  });

  it.each(['', '\n\n', '\r\n', '\ufeff', '\ufeff\n'])('no header in %j', (file) => {
    expect(scanText(file)).toEqual({ rows: [], bytes: [], malformed: [] });
  });

  it('the names of the header without the blanks around them', () => {
    expect(scanText('\ufeff user_id , "first ""name""" ,\n').header).toEqual([
      'user_id',
      '"first ""name"""',
      '',
    ]);
    expect(scanText('"a ""b"" ",c\n').header).toEqual(['a "b"', 'c']);
  });

  it.each([
    ['size 5"";user_id', ['size 5""', 'user_id']],
    ['size 5""|user_id', ['size 5""', 'user_id']],
    ['a,size 5"";b;user_id', ['a,size 5""', 'b', 'user_id']],
    ['"a,""b"",";user_id', ['a,"b",', 'user_id']],
    ['"""";"a,b,";user_id', ['"', 'a,b,', 'user_id']],
    ['"";"a,b,c";user_id', ['', 'a,b,c', 'user_id']],
  ])('the separator outside of quotes, and only of those: %s', (line, names) => {
    expect(scanText(`${line}\n`).header).toEqual(names);
  });

  it('each row with its first byte in the file, the byte order mark counted', () => {
    expect(scanText('\ufeffid,b\n\nü,1\r\nu2,"x\ny"\nu3,3').bytes).toEqual([9, 15, 24]);
  });
});

/** [what it is, the file, the malformed rows]. The rows around them are read. */
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const BAD_ROWS: readonly [
  string,
  string | Buffer,
  { code: string; row: number; byte: number }[],
][] = [
  ['too few columns', 'id,b\nu1\nu2,2\n', [{ code: 'column_count', row: 1, byte: 5 }]],
  ['too many columns', 'id,b\nu2,2\nu1,2,3\n', [{ code: 'column_count', row: 2, byte: 10 }]],
  ['another separator', 'id,b\nu1;1\nu2,2\n', [{ code: 'column_count', row: 1, byte: 5 }]],
  [
    'text behind a closing quote',
    'id,b\n"u1"x,1\nu2,2\n',
    [{ code: 'text_after_quote', row: 1, byte: 5 }],
  ],
  [
    'a blank behind a closing quote',
    'id,b\n"u1" ,1\nu2,2\n',
    [{ code: 'text_after_quote', row: 1, byte: 5 }],
  ],
  [
    'a quote behind a closing quote and text',
    'id,b\n"u1"x"y,1\nu2,2\n',
    [{ code: 'text_after_quote', row: 1, byte: 5 }],
  ],
  ['a byte of Latin-1', latin1('id,b\nu1,\xfc\nu2,2\n'), [{ code: 'not_utf8', row: 1, byte: 5 }]],
  [
    'half a character at the end of the file',
    Buffer.concat([Buffer.from('id,b\nu2,2\nu3,'), Buffer.from('日').subarray(0, 2)]),
    [{ code: 'not_utf8', row: 2, byte: 10 }],
  ],
  [
    'a surrogate in UTF-8',
    Buffer.concat([Buffer.from('id,b\nu2,2\nu3,'), Buffer.from([0xed, 0xa0, 0x80, 0x0a])]),
    [{ code: 'not_utf8', row: 2, byte: 10 }],
  ],
  [
    'an overlong form of a slash',
    Buffer.concat([Buffer.from('id,b\nu2,2\nu3,'), Buffer.from([0xc0, 0xaf])]),
    [{ code: 'not_utf8', row: 2, byte: 10 }],
  ],
  [
    'a character cut by a separator',
    latin1('id,b\nu1\xc3,\xbc\nu2,2\n'),
    [{ code: 'not_utf8', row: 1, byte: 5 }],
  ],
];

describe('the scanner finds a malformed row', () => {
  it.each(BAD_ROWS)('%s', (_what, file, malformed) => {
    expect(scanText(file)).toMatchObject({ rows: [['u2', '2']], malformed });
  });

  it.each([
    [ROW_BYTES_ACCEPTED, []],
    [ROW_BYTES_ACCEPTED + 1, [{ code: 'row_too_long', row: 1, byte: 5 }]],
  ])('by its length of %d bytes', (bytes, malformed) => {
    const long = `u1,${'x'.repeat(bytes - 3)}`;
    expect(scanText(`id,b\n${long}\r\nu2,2\n`).malformed).toEqual(malformed);
  });
});

/** [what it is, the file, why it is refused]. */
const wide = 'x,'.repeat(40_000);
const HEADER = 'The header line';
const LATE = 'that does not end within 64 KiB';
const OPEN = 'without a closing quote';
const BAD_FILES: readonly [string, string | Buffer, { code: string; row: number; byte: number }][] =
  [
    [
      'a quote that never closes',
      'id,b\nu1,1\nu2,"x\nu3,3\n',
      { code: 'unclosed_quote', row: 2, byte: 10 },
    ],
    ['a quote as the last byte', 'id,b\nu1,"', { code: 'unclosed_quote', row: 1, byte: 5 }],
    ['a header with an open quote', '"id,b\nu1,1\n', { code: 'unclosed_quote', row: 0, byte: 0 }],
    [
      'a header that is not UTF-8',
      latin1('id,\xfc\nu1,1\n'),
      { code: 'not_text', row: 0, byte: 0 },
    ],
    ['UTF-16', Buffer.from('\ufeffid,b\n', 'utf16le'), { code: 'not_text', row: 0, byte: 0 }],
    ['a header with text behind a quote', 'a,"id"x\n', { code: 'no_id_column', row: 0, byte: 0 }],
    [
      'a header of 70,000 columns',
      `${'x,'.repeat(70_000)}\n`,
      { code: 'row_too_long', row: 0, byte: 0 },
    ],
    [
      'a megabyte of blank lines',
      '\n'.repeat(ROW_BYTES_MAX + 1),
      { code: 'row_too_long', row: 0, byte: ROW_BYTES_MAX + 1 },
    ],
    [
      'a row longer than a megabyte',
      `id,b\nu1,1\nu2,${'x'.repeat(ROW_BYTES_MAX - 2)}\n`,
      { code: 'row_too_long', row: 2, byte: 10 },
    ],
    [
      'a row longer than a megabyte with many fields',
      `id,b\n${wide.repeat(14)}\n`,
      { code: 'row_too_long', row: 1, byte: 5 },
    ],
    [
      'a quoted field longer than its limit',
      `id,b\nu1,"${'x'.repeat(FIELD_BYTES_MAX + 1)}"\n`,
      { code: 'unclosed_quote', row: 1, byte: 5 },
    ],
  ];

describe('the scanner refuses a file', () => {
  it.each(BAD_FILES)('with %s', (_what, file, fault) => {
    expect(scanText(file).fault).toMatchObject(fault);
  });

  it.each(BAD_FILES)(
    'with %s alike when it comes in chunks of 4,096 bytes',
    (_what, file, fault) => {
      const bytes = Buffer.from(file);
      const places = Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, i) => i * 4096);
      expect(scanChunks(cutAt(bytes, places)).fault).toMatchObject(fault);
    },
  );

  it('at one byte more than a row may have, and not before', () => {
    const row = (bytes: number) => `id,b\nu1,${'x'.repeat(bytes - 3)}`;
    expect(scanText(row(ROW_BYTES_MAX)).fault).toBeUndefined();
    expect(scanText(row(ROW_BYTES_MAX + 1)).fault).toMatchObject({ code: 'row_too_long' });
  });

  it('at one byte more than a quoted field may have, and not before', () => {
    const file = (bytes: number) => `id\n"${'x'.repeat(bytes)}"\n`;
    expect(scanText(file(FIELD_BYTES_MAX)).fault).toBeUndefined();
    expect(scanText(file(FIELD_BYTES_MAX + 1)).fault).toMatchObject({ code: 'unclosed_quote' });
  });

  it.each([
    ['closes too late', `id\nu1\n"${'x'.repeat(FIELD_BYTES_MAX + 1)}"\n`, 'Row 2', LATE],
    ['closes too late, in the header', `"${'x'.repeat(FIELD_BYTES_MAX + 1)}"\n`, HEADER, LATE],
    ['never closes, in a long text', `id\n"${'x'.repeat(FIELD_BYTES_MAX + 1)}`, 'Row 1', LATE],
    ['never closes', `id\n"${'x'.repeat(FIELD_BYTES_MAX)}`, 'Row 1', OPEN],
    ['never closes, in the header', 'id,"b\nu1,1\n', HEADER, OPEN],
  ])('and says how a quoted field fails that %s', (_what, file, place, how) => {
    const detail = `${place} has a quoted field ${how}.`;
    const inPieces = cutAt(Buffer.from(file), [1, 30_000, 65_000, 65_545]);
    expect(scanText(file).fault).toMatchObject({ code: 'unclosed_quote', detail });
    expect(scanChunks(inPieces).fault).toMatchObject({ code: 'unclosed_quote', detail });
  });
});
