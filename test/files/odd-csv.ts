import { fault, latin1, type OddFile, utf16 } from './odd-file.ts';

/** Files of one user or more. */
export const CSV: readonly OddFile[] = [
  ['only ids', 'user_id\nu1\nu2\n', { users: ['1 u1', '2 u2'] }],
  ['no last line break', 'user_id\nu1\nu2', { users: ['1 u1', '2 u2'] }],
  ['CRLF', 'user_id\r\nu1\r\nu2\r\n', { users: ['1 u1', '2 u2'] }],
  ['CR', 'user_id\ru1\ru2\r', { users: ['1 u1', '2 u2'] }],
  ['all line breaks in one', 'user_id\nu1\ru2\r\nu3', { users: ['1 u1', '2 u2', '3 u3'] }],
  ['semicolons', 'a;user_id\nx;u1\n', { users: ['1 u1'], columns: { a: 'x' } }],
  ['tabs', 'a\tuser_id\nx\tu1\n', { users: ['1 u1'], columns: { a: 'x' } }],
  ['pipes', 'a|user_id\nx|u1\n', { users: ['1 u1'], columns: { a: 'x' } }],
  [
    'commas in a file of semicolons',
    'user_id;a\nu1;1,5\n',
    { users: ['1 u1'], columns: { a: '1,5' } },
  ],
  ['a separator within a quoted name', '"a,b,c";user_id\n1;u1\n', { users: ['1 u1'] }],
  [
    'a line break in a field',
    'user_id,a\nu1,"x\ny"\n',
    { users: ['1 u1'], columns: { a: 'x\ny' } },
  ],
  ['a doubled quote', 'user_id,a\nu1,"x""y"\n', { users: ['1 u1'], columns: { a: 'x"y' } }],
  [
    'a quote within an unquoted field',
    'user_id,a\nu1,5" pipe\n',
    { users: ['1 u1'], columns: { a: '5" pipe' } },
  ],
  ['a quoted id', 'user_id\n"u,1"\n', { users: ['1 u,1'] }],
  ['an id with a line break', 'user_id\n"u\n1"\n', { users: ['1 u\n1'] }],
  [
    'blanks around ids, which belong to them',
    'user_id\n u1\nu1 \nu1\n',
    { users: ['1  u1', '2 u1 ', '3 u1'] },
  ],
  [
    'blanks around names, which do not',
    ' user_id , a \nu1,x\n',
    { users: ['1 u1'], columns: { a: 'x' } },
  ],
  ['blank lines everywhere', '\n\nuser_id\n\n\nu1\n\n', { users: ['1 u1'] }],
  [
    'a line of separators',
    'user_id,a\nu1,1\n,\n',
    { users: ['1 u1'], malformed: ['2 15 id_empty'] },
  ],
  ['a byte order mark', '\ufeffuser_id\nu1\n', { users: ['1 u1'] }],
  ['a byte order mark before a quoted name', '\ufeff"user_id"\nu1\n', { users: ['1 u1'] }],
  ['emoji and other planes', 'user_id\n🙂\n日本\n', { users: ['1 🙂', '2 日本'] }],
  [
    'ids that differ in their normal form',
    'user_id\né\ne\u0301\n',
    { users: ['1 é', '2 e\u0301'] },
  ],
  ['ids that differ in their case', 'user_id\nA\na\n', { users: ['1 A', '2 a'] }],
  ['digits that begin with 0', 'user_id\n007\n7\n', { users: ['1 007', '2 7'] }],
  ['a formula of a spreadsheet', 'user_id\n=cmd|A1\n', { users: ['1 =cmd|A1'] }],
  ['duplicates', 'user_id\nu1\nu2\nu1\nu1\n', { users: ['1 u1', '2 u2'], duplicates: 2 }],
  [
    'a duplicate behind a malformed row of the same user',
    'user_id,a\nu1\nu1,x\n',
    { users: ['2 u1'], malformed: ['1 10 column_count'] },
  ],
  ['the id column by number', 'a,b\nx,u1\n', { users: ['1 u1'] }, { idColumn: 2 }],
  [
    'names that come twice',
    'user_id,a,a\nu1,1,2\n',
    { users: ['1 u1'], columns: { a: '1', a_2: '2' } },
  ],
  ['NUL far behind the front', `user_id\n${'\n'.repeat(9_000)}a\0b\n`, { users: ['1 a\0b'] }],
];

/** Files with rows that get no alert. */
export const BAD_ROWS: readonly OddFile[] = [
  ['an empty id', 'user_id,a\n,1\nu2,2\n', { users: ['2 u2'], malformed: ['1 10 id_empty'] }],
  [
    'an empty quoted id',
    'user_id,a\n"",1\nu2,2\n',
    { users: ['2 u2'], malformed: ['1 10 id_empty'] },
  ],
  [
    'an id of 257 bytes',
    `user_id\n${'x'.repeat(257)}\nu2\n`,
    { users: ['2 u2'], malformed: ['1 8 id_too_long'] },
  ],
  [
    'too few columns',
    'user_id,a\nu1\nu2,2\n',
    { users: ['2 u2'], malformed: ['1 10 column_count'] },
  ],
  [
    'too many columns',
    'user_id,a\nu1,1,1\nu2,2\n',
    { users: ['2 u2'], malformed: ['1 10 column_count'] },
  ],
  [
    'text behind a closing quote',
    'user_id,a\n"u1"x,1\nu2,2\n',
    { users: ['2 u2'], malformed: ['1 10 text_after_quote'] },
  ],
  [
    'Latin-1 in UTF-8',
    latin1('user_id\n\xfc1\nu2\n'),
    { users: ['2 u2'], malformed: ['1 8 not_utf8'] },
  ],
  [
    'a row of 65,537 bytes',
    `user_id,a\nu1,${'x'.repeat(65_534)}\nu2,2\n`,
    { users: ['2 u2'], malformed: ['1 10 row_too_long'] },
  ],
  [
    'a bad row where none may be',
    'user_id,a\nu1,1\nu2\nu3,3\n',
    fault('column_count', 2, 15),
    { onMalformed: 'fail' },
  ],
  [
    'bad rows that are left out',
    'user_id,a\nu1\nu2\nu3,3\n',
    { users: ['3 u3'], malformed: ['1 10 column_count', '2 13 column_count'] },
    { onMalformed: 'skip' },
  ],
];

/** Files that cannot be read, and those without users. */
export const BAD_FILES: readonly OddFile[] = [
  ['no byte', '', {}],
  ['only a byte order mark', '\ufeff', {}],
  ['only blank lines', '\n\r\n\r', {}],
  ['only a header', 'user_id', {}],
  ['no header', 'u1\nu2\n', fault('no_id_column', 0, 0)],
  ['no id column behind a mark and blank lines', '\ufeff\n\r\nü\n', fault('no_id_column', 0, 6)],
  ['no id column in UTF-16', utf16('\ufeff\n\nü\n'), fault('no_id_column', 0, 6)],
  ['text behind a quote in UTF-16', utf16('\ufeff\n\n"a"x\n'), fault('no_id_column', 0, 6)],
  ['the id column twice behind a mark', '\ufeffuser_id,user_id\n', fault('id_column_twice', 0, 3)],
  ['the id column in other letters', 'USER_ID\nu1\n', fault('no_id_column', 0, 0)],
  ['the id column twice', 'user_id,user_id\nu1,u2\n', fault('id_column_twice', 0, 0)],
  ['a column behind the last', 'a,b\nx,u1\n', fault('no_id_column', 0, 0), { idColumn: 3 }],
  ['a quote that never closes', 'user_id,a\nu1,1\nu2,"x\n', fault('unclosed_quote', 2, 15)],
  [
    'an open quote in UTF-16',
    utf16('\ufeffuser_id,a\nü1,1\nu2,"x\n'),
    fault('unclosed_quote', 2, 32),
  ],
  [
    'a quoted field of 65,537 bytes',
    `user_id\nu1\n"${'x'.repeat(65_537)}"\n`,
    fault('unclosed_quote', 2, 11),
  ],
  [
    'a row longer than a megabyte',
    `user_id\nu1\n${'x'.repeat(1_048_577)}`,
    fault('row_too_long', 2, 11),
  ],
  ['a header that is not UTF-8', latin1('user_id,\xfc\nu1,1\n'), fault('not_text', 0, 0)],
  [
    'names too long behind blank lines',
    `\n\nuser_id,${'x'.repeat(65_537)}\n`,
    fault('row_too_long', 0, 2),
  ],
  ['70,000 columns', `user_id${',a'.repeat(70_000)}\n`, fault('row_too_long', 0, 0)],
];
