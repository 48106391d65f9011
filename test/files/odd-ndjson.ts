import { fault, latin1, type OddFile, utf16, zstd } from './odd-file.ts';

/** Files with an object in each line. */
export const NDJSON: readonly OddFile[] = [
  [
    'objects',
    '{"user_id":"u1","a":"x"}\n{"user_id":"u2"}\n',
    { users: ['1 u1', '2 u2'], columns: { a: 'x' } },
  ],
  [
    'blanks and blank lines',
    '\ufeff\n {"user_id" : "u1"} \r\n\r\n\t\n{"user_id":"u2"}',
    { users: ['1 u1', '2 u2'] },
  ],
  [
    'integers by their digits',
    '{"user_id":12345678901234567890}\n{"user_id":-7}\n{"user_id":"-7"}\n',
    { users: ['1 12345678901234567890', '2 -7'], duplicates: 1 },
  ],
  [
    'values of every kind',
    '{"user_id":"u1","a":1.50,"b":null,"c":true,"d":{"x":[1,"]}"]},"e":[]}',
    { users: ['1 u1'], columns: { a: '1.50', b: '', c: 'true', d: '{"x":[1,"]}"]}', e: '[]' } },
  ],
  [
    'escapes',
    '{"\\u0075ser_id":"\\ud83d\\ude42\\n\\"","a\\tb":"\\\\"}',
    { users: ['1 🙂\n"'], columns: { 'a\tb': '\\' } },
  ],
  [
    'an id of another depth',
    '{"user_id":"u1"}\n{"x":{"user_id":"u2"}}\n',
    { users: ['1 u1'], malformed: ['2 17 id_empty'] },
  ],
  [
    'ids that are none',
    ['null', '""', '1.0', '1e3', 'true', '{}'].map((it) => `{"user_id":${it}}\n`).join(''),
    {
      malformed: [
        '1 0 id_empty',
        '2 17 id_empty',
        '3 32 json_invalid',
        '4 48 json_invalid',
        '5 64 json_invalid',
        '6 81 json_invalid',
      ],
    },
  ],
  [
    'what is no object',
    '{"user_id":"u1"}\n[1]\n"x"\n{"user_id":"u2"\n{"user_id":"u3",}\n{"user_id":"u4"}x\n',
    {
      users: ['1 u1'],
      malformed: [
        '2 17 json_invalid',
        '3 21 json_invalid',
        '4 25 json_invalid',
        '5 41 json_invalid',
        '6 59 json_invalid',
      ],
    },
  ],
  ['a field named twice', '{"user_id":"u1","user_id":"u2"}\n', { malformed: ['1 0 json_invalid'] }],
  [
    'half a surrogate pair',
    '{"user_id":"\\ud800"}\n{"user_id":"u2","a":"\\udc00"}\n{"user_id":"u3"}',
    { users: ['3 u3'], malformed: ['1 0 json_invalid', '2 21 json_invalid'] },
  ],
  [
    'what is not UTF-8',
    latin1('{"user_id":"\xfc"}\n{"user_id":"u2"}\n'),
    { users: ['2 u2'], malformed: ['1 0 not_utf8'] },
  ],
  [
    'an array of a depth of 30,000',
    `{"user_id":"u1","a":${'['.repeat(30_000)}${']'.repeat(30_000)}}\n`,
    { users: ['1 u1'] },
  ],
  [
    'a row of 65,537 bytes',
    `{"user_id":"u1"}\n{"user_id":"${'x'.repeat(65_523)}"}\n`,
    { users: ['1 u1'], malformed: ['2 17 row_too_long'] },
  ],
  [
    'a row longer than a megabyte',
    `{"user_id":"u1"}\n{"a":"${'x'.repeat(1_048_576)}"}\n`,
    fault('row_too_long', 2, 17),
  ],
  ['no id anywhere', '{"a":1}\n{"b":2}\n', fault('no_id_column', 0, 0)],
  ['an id column by number', '{"user_id":"u1"}\n', fault('no_id_column', 0, 0), { idColumn: 1 }],
  [
    'NDJSON that was announced as CSV',
    '{"user_id":"u1"}\n',
    fault('no_id_column', 0, 0),
    { format: 'csv' },
  ],
  [
    'CSV that was announced as NDJSON',
    'user_id\nu1\n',
    { malformed: ['1 0 json_invalid', '2 8 json_invalid'] },
    { format: 'ndjson' },
  ],
  [
    'NDJSON in UTF-16',
    utf16('\ufeff{"user_id":"ü1"}\n{"user_id":}\n'),
    { users: ['1 ü1'], malformed: ['2 36 json_invalid'] },
  ],
  ['NDJSON in zstd', zstd('{"user_id":"u1"}\n'), { users: ['1 u1'] }],
  [
    '__proto__ and its like',
    '{"__proto__":"x","user_id":"u1"}\n',
    { users: ['1 u1'] },
    { idColumn: 'user_id' },
  ],
];

const HELLO = 'Hello {{ name }}, {{user_id}}!';

/** Files whose message names columns. */
export const MESSAGES: readonly OddFile[] = [
  [
    'columns in the message',
    'user_id,name\nu1,"Ann ""A"""\n',
    { users: ['1 u1'], message: 'Hello Ann "A", u1!' },
    { message: HELLO },
  ],
  [
    'an empty column in the message',
    'user_id,name\nu1,\n',
    { users: ['1 u1'], message: 'Hello , u1!' },
    { message: HELLO },
  ],
  [
    'a column that looks like a placeholder',
    'user_id,name\nu1,{{user_id}}\n',
    { users: ['1 u1'], message: 'Hello {{user_id}}, u1!' },
    { message: HELLO },
  ],
  [
    'a column that the header lacks',
    'user_id\nu1\n',
    { malformed: ['1 8 message_column_missing'] },
    { message: HELLO },
  ],
  [
    'a message that grows too long',
    `user_id,name\nu1,${'x'.repeat(40_000)}\nu2,y\n`,
    { users: ['2 u2'], malformed: ['1 13 row_too_long'], message: 'yy' },
    { message: '{{name}}{{name}}' },
  ],
  [
    'fields in the message',
    '{"user_id":1,"name":{"a":"b"}}\n{"user_id":2}\n{"user_id":3,"name":null}',
    {
      users: ['1 1', '3 3'],
      malformed: ['2 31 message_column_missing'],
      message: 'Hello {"a":"b"}, 1!',
    },
    { message: HELLO },
  ],
  [
    'a message with its own words at the limit, and above',
    `user_id,name\nu1,${'x'.repeat(61_532)}\nu2,${'x'.repeat(61_533)}\n`,
    {
      users: ['1 u1'],
      malformed: ['2 61549 row_too_long'],
      message: `${'ü'.repeat(2_000)}${'x'.repeat(61_532)} u1!`,
    },
    { message: `${'ü'.repeat(2_000)}{{name}} {{user_id}}!` },
  ],
  [
    'quotes at the limit, each of which stands twice in its file, and above',
    `user_id,a\nu1,"${'""'.repeat(16_384)}"\nu2,"${'""'.repeat(16_384)}x"\n`,
    { users: ['1 u1'], malformed: ['2 32784 row_too_long'], message: '"'.repeat(65_536) },
    { message: '{{a}}{{a}}{{a}}{{a}}' },
  ],
  [
    'fields with its own words at the limit, and above',
    `{"user_id":"1","n":"${'x'.repeat(61_532)}"}\n{"user_id":"2","n":"${'x'.repeat(61_533)}"}`,
    {
      users: ['1 1'],
      malformed: ['2 61555 row_too_long'],
      message: `${'ü'.repeat(2_000)}${'x'.repeat(61_532)} ab!`,
    },
    { message: `${'ü'.repeat(2_000)}{{n}} ab!` },
  ],
  [
    'fields that grow too long',
    `{"user_id":"u1","name":"${'x'.repeat(40_000)}"}\n`,
    { malformed: ['1 0 row_too_long'] },
    { message: '{{name}}{{name}}' },
  ],
];
