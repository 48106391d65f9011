import { bytes, fault, gzip, latin1, type OddFile, utf16, utf16be, zstd } from './odd-file.ts';

/** Text in other encodings than UTF-8. */
export const ENCODED: readonly OddFile[] = [
  [
    'UTF-16, low byte first',
    utf16('\ufeffuser_id;a\r\nü1;日\r\n🙂;2\r\n'),
    { users: ['1 ü1', '2 🙂'], columns: { a: '日' } },
  ],
  [
    'UTF-16, high byte first',
    utf16be('\ufeffuser_id;a\r\nü1;日\r\n🙂;2\r\n'),
    { users: ['1 ü1', '2 🙂'], columns: { a: '日' } },
  ],
  ['UTF-16 without a mark', utf16('user_id\nu1\n'), { users: ['1 u1'] }, { encoding: 'utf-16' }],
  [
    'UTF-16, high byte first, without a mark',
    utf16be('user_id\nu1\n'),
    { users: ['1 u1'] },
    { encoding: 'utf-16' },
  ],
  [
    'UTF-16 that says which',
    utf16be('user_id\nu1\n'),
    { users: ['1 u1'] },
    { encoding: 'utf-16be' },
  ],
  [
    'UTF-16 whose mark knows better',
    utf16('\ufeffuser_id\nu1\n'),
    { users: ['1 u1'] },
    { encoding: 'utf-16be' },
  ],
  [
    'UTF-16 with half a pair',
    utf16('\ufeffuser_id,a\n🙂,1\nx\ud83d,2\nu3,3\n'),
    { users: ['1 🙂', '3 u3'], malformed: ['2 32 not_utf8'] },
  ],
  [
    'UTF-16 with half a unit at its end',
    bytes(utf16('\ufeffuser_id\nu1\nu2'), [0x41]),
    { users: ['1 u1'], malformed: ['2 24 not_utf8'] },
  ],
  ['UTF-16 that nobody announced', utf16('user_id\nu1\n'), fault('not_text', 0, 0)],
  [
    'windows-1252',
    latin1('user_id,a\n\xfc1,\x80\nu2\n'),
    { users: ['1 ü1'], columns: { a: '€' }, malformed: ['2 15 column_count'] },
    { encoding: 'windows-1252' },
  ],
  [
    'windows-1252 whose mark says UTF-8',
    '\ufeffuser_id\nü1\n',
    { users: ['1 ü1'] },
    { encoding: 'windows-1252' },
  ],
  [
    'gzip of UTF-16',
    gzip(utf16('\ufeffuser_id,a\nü1\nu2,2\n')),
    { users: ['2 u2'], malformed: ['1 22 column_count'] },
  ],
];

/** Archives, whole and broken, and what is no text. */
export const PACKED: readonly OddFile[] = [
  ['gzip', gzip('user_id\nu1\n'), { users: ['1 u1'] }],
  ['gzip in two members', bytes(gzip('user_id\nu'), gzip('1\n')), { users: ['1 u1'] }],
  ['zstd', zstd('user_id\nu1\n'), { users: ['1 u1'] }],
  ['zstd in two frames', bytes(zstd('user_id\nu1\n'), zstd('u2\n')), { users: ['1 u1', '2 u2'] }],
  ['gzip of nothing', gzip(''), {}],
  [
    'gzip that is cut off',
    gzip('user_id\nu1\n').subarray(0, -3),
    { error: { code: 'archive_truncated' } },
  ],
  [
    'zstd that is cut off',
    zstd('user_id\nu1\n').subarray(0, -3),
    { error: { code: 'archive_truncated' } },
  ],
  [
    'gzip with a changed checksum',
    changed(gzip('user_id\nu1\n'), -6),
    { error: { code: 'archive_truncated' } },
  ],
  [
    'gzip with text behind it',
    bytes(gzip('user_id\nu1\n'), 'u2\n'),
    { error: { code: 'archive_truncated' } },
  ],
  [
    'a bomb of gzip',
    gzip(`user_id\n${'0'.repeat(1_000_000)}`),
    { error: { code: 'archive_ratio' } },
  ],
  [
    'a bomb of zstd',
    zstd(`user_id\n${'\n'.repeat(1_000_000)}`),
    { error: { code: 'archive_ratio' } },
  ],
  ['gzip in gzip', gzip(gzip('user_id\nu1\n')), fault('not_text', 0, 0)],
  ['zstd in gzip', gzip(zstd('user_id\nu1\n')), fault('not_text', 0, 0)],
  [
    'an Excel workbook',
    bytes('PK\x03\x04', [20, 0, 6, 0], '[Content_Types].xml'),
    fault('xlsx', 0, 0),
  ],
  [
    'an Excel workbook in gzip',
    gzip(bytes('PK\x03\x04', [20, 0], 'xl/workbook.xml')),
    fault('xlsx', 0, 0),
  ],
  [
    'an old Excel workbook',
    bytes([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, 0]),
    fault('xlsx', 0, 0),
  ],
  ['a ZIP archive', bytes('PK\x03\x04', [20, 0], 'users.csv'), fault('not_text', 0, 0)],
  ['a PDF document', '%PDF-1.7\nuser_id\n', fault('not_text', 0, 0)],
  ['an image', bytes([0x89], 'PNG\r\n', [0x1a, 0x0a, 0, 0, 0, 13]), fault('not_text', 0, 0)],
];

function changed(archive: Buffer, at: number): Buffer {
  const place = archive.length + at;
  archive[place] = (archive[place] ?? 0) ^ 1;
  return archive;
}
