import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_BYTES_MAX } from '../../functions/files/alert-line.ts';
import { FIELDS_KEPT, ROW_BYTES_MAX } from '../../functions/files/csv-record.ts';
import { FAULTS_LISTED_MAX, FileFault } from '../../functions/files/file-fault.ts';
import { FileReading } from '../../functions/files/file-reading.ts';
import { FRONT_BYTES } from '../../functions/files/file-sniff.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_USERS_MAX,
  type BlockPlace,
  INDEX_ENTRY_BYTES,
  SEGMENT_BYTES,
  type Segment,
} from '../../functions/files/segments.ts';
import { ID_BYTES_MAX } from '../../functions/files/user-rows.ts';

interface Order {
  readonly idColumn?: string | number;
  readonly message?: string;
  readonly fileName?: string;
}

/** Reads the text and gives back what the reading left behind. */
function read(text: string | Buffer, order: Order = {}) {
  const reading = new FileReading({
    fileId: 'fil_1',
    fileName: 'users.csv',
    idColumn: 'user_id',
    ...order,
  });
  const segments = [...copies(reading.read(Buffer.from(text))), ...copies(reading.end())];
  const lines = segments.flatMap(({ bytes }) => linesOf(bytes));
  return { reading, segments, lines, alerts: lines.map((line) => JSON.parse(line)) };
}

/** The bytes of a segment are good only until the next one comes. */
function* copies(segments: Iterable<Segment>): Generator<Segment> {
  for (const { number, bytes } of segments) yield { number, bytes: Uint8Array.from(bytes) };
}

function linesOf(bytes: Uint8Array): string[] {
  return Buffer.from(bytes).toString().split('\n').slice(0, -1);
}

function placesOf(reading: FileReading): BlockPlace[] {
  expect(reading.index.length).toBe(reading.blocks * INDEX_ENTRY_BYTES);
  return linesOf(reading.index).map((line) => JSON.parse(line));
}

function faultOf(text: string, order: Order = {}) {
  try {
    read(text, order);
  } catch (error) {
    if (error instanceof FileFault) return error.facts;
    throw error;
  }
  return undefined;
}

describe('a header line', () => {
  const fileWith = (nameLength: number) => `user_id,${'x'.repeat(nameLength)}\nu,\n`;
  // Without the user's id and the row, of one byte each, but with the line break.
  const frameBytes = (read(fileWith(1)).lines[0]?.length ?? 0) + 1 - 2;
  const longest = 1 + FRAME_BYTES_MAX - frameBytes;

  it('may make each alert as long as the limit', () => {
    expect(read(fileWith(longest)).lines[0]).toHaveLength(FRAME_BYTES_MAX + 2 - 1);
  });

  it('is refused when it would make each alert longer', () => {
    expect(faultOf(fileWith(longest + 1))).toEqual({
      code: 'row_too_long',
      row: 0,
      byte: 0,
      detail: expect.stringContaining('65536 bytes'),
    });
  });

  it.each([
    ['without names', ','],
    ['of the same name', ',a'],
    // Whoever compares each column with all others does not come to the end of this.
  ])('of a megabyte of columns %s is refused', (_what, column) => {
    const columns = Math.min(FIELDS_KEPT - 1, Math.floor((ROW_BYTES_MAX - 7) / column.length));
    expect(faultOf(`user_id${column.repeat(columns)}\nu\n`)?.code).toBe('row_too_long');
  });
});

describe('an alert line', () => {
  it('is the data of the webhook, with all columns but the id', () => {
    const { lines } = read('name,user_id,city\nAnn,u1,"Łódź"\n', { message: 'Hi "you"' });
    expect(lines).toEqual([
      '{"userId":"u1","message":"Hi \\"you\\"","row":1,"fileId":"fil_1",' +
        '"fileName":"users.csv","columns":{"name":"Ann","city":"Łódź"}}',
    ]);
  });

  it('has no message when the file has none, and no columns when there is but the id', () => {
    expect(read('user_id\nu1\n').lines).toEqual([
      '{"userId":"u1","row":1,"fileId":"fil_1","fileName":"users.csv","columns":{}}',
    ]);
  });

  it('names every column once, whatever the header says', () => {
    const { alerts } = read('user_id,a,a,,a_2,a,__proto__\nu1,1,2,3,4,5,6\n');
    expect(Object.entries(alerts[0].columns)).toEqual([
      ['a', '1'],
      ['a_3', '2'],
      ['column_4', '3'],
      ['a_2', '4'],
      ['a_4', '5'],
      ['__proto__', '6'],
    ]);
  });

  it('carries any text unchanged', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 }).map((it) => it.toWellFormed());
    const row = fc.tuple(
      text.filter((it) => it !== ''),
      text,
    );
    fc.assert(
      fc.property(fc.array(row, { maxLength: 10 }), text, (rows, fileName) => {
        const quote = (it: string) => `"${it.replaceAll('"', '""')}"`;
        const file = rows.map((it) => `${it.map(quote).join(',')}\n`).join('');
        // Behind what is sniffed, so that NUL is a character like any other.
        const blank = '\n'.repeat(FRONT_BYTES);
        const { alerts } = read(`${blank}user_id,note\n${file}`, { fileName });
        const firsts = [...new Map(rows.toReversed()).entries()];
        const wanted = new Map(firsts.map(([userId, note]) => [userId, note]));
        expect(new Map(alerts.map((it) => [it.userId, it.columns.note]))).toEqual(wanted);
        for (const alert of alerts) expect(alert.fileName).toBe(fileName);
      }),
    );
  });
});

describe('the id column', () => {
  it.each<[string, string, string | number]>([
    ['a name', 'a,user_id\nx,u1\n', 'user_id'],
    ['a name with blanks around it', 'a, user_id \nx,u1\n', ' user_id'],
    ['a number, the first being 1', 'a,b\nu1,x\n', 1],
    ['the number of the last column', 'a,b\nx,u1\n', 2],
    ['a number, though the names are equal', 'a,a\nx,u1\n', 2],
  ])('is found by %s', (_how, text, idColumn) => {
    expect(read(text, { idColumn }).alerts[0].userId).toBe('u1');
  });

  it.each<[string, string, string | number, string]>([
    ['is not in the header', 'a,b\nx,u1\n', 'user_id', 'no_id_column'],
    ['is there with other letters', 'User_ID\nu1\n', 'user_id', 'no_id_column'],
    ['is behind the last column', 'a,b\nx,u1\n', 3, 'no_id_column'],
    ['is number 0', 'a,b\nx,u1\n', 0, 'no_id_column'],
    ['is there twice', 'user_id,user_id\nx,u1\n', 'user_id', 'id_column_twice'],
  ])('refuses the file when it %s', (_why, text, idColumn, code) => {
    expect(faultOf(text, { idColumn })).toMatchObject({ code, row: 0, byte: 0 });
  });
});

describe('the counts', () => {
  it('add up: rows are alerts, duplicates and malformed rows', () => {
    const { reading, alerts } = read(
      'user_id,b\nu1,1\nu2\nu1,again\n"u""3",3\n,4\n"u""3",again\n\nu4,5\n',
    );
    expect(reading.counts).toEqual({
      ...{ rows: 7, alerts: 3, duplicates: 2, malformed: 2 },
      malformedBy: { column_count: 1, id_empty: 1 },
    });
    expect(alerts.map((it) => [it.row, it.userId, it.columns.b])).toEqual([
      [1, 'u1', '1'],
      [4, 'u"3', '3'],
      [7, 'u4', '5'],
    ]);
    expect(reading.faults).toEqual([
      { row: 2, byte: 15, code: 'column_count' },
      { row: 5, byte: 36, code: 'id_empty' },
    ]);
  });

  it.each([
    [ID_BYTES_MAX, 0],
    [ID_BYTES_MAX + 1, 1],
  ])('take an id of %d bytes as %d malformed rows', (bytes, malformed) => {
    expect(read(`user_id\n${'x'.repeat(bytes)}\n`).reading.counts.malformed).toBe(malformed);
    const umlauts = `${'ü'.repeat(bytes >> 1)}${bytes % 2 ? 'x' : ''}`;
    expect(read(`user_id\n${umlauts}\n`).reading.counts.malformed).toBe(malformed);
  });

  it('compare ids exactly', () => {
    expect(read('user_id\nu1\nU1\n u1\n"u1"\n').reading.counts).toMatchObject({
      alerts: 3,
      duplicates: 1,
    });
  });

  it('are all 0 for an empty file, and for one with only a header', () => {
    const none = { rows: 0, alerts: 0, duplicates: 0, malformed: 0 };
    for (const text of ['', '\n', 'user_id\n']) {
      const { reading, segments } = read(text);
      expect([reading.counts, reading.blocks, segments]).toEqual([none, 0, []]);
    }
  });

  it('go on when the list of faults is full', () => {
    const { reading } = read(`user_id,b\n${'u1\n'.repeat(FAULTS_LISTED_MAX + 1)}`);
    expect(reading.faults).toHaveLength(FAULTS_LISTED_MAX);
    expect(reading.counts.malformed).toBe(FAULTS_LISTED_MAX + 1);
  });
});

describe('the blocks', () => {
  const users = (count: number) => Array.from({ length: count }, (_, i) => `u${i}\n`).join('');

  it.each([
    [1, [1]],
    [BLOCK_USERS_MAX, [BLOCK_USERS_MAX]],
    [BLOCK_USERS_MAX + 1, [BLOCK_USERS_MAX, 1]],
    [2 * BLOCK_USERS_MAX, [BLOCK_USERS_MAX, BLOCK_USERS_MAX]],
  ])('of %d users have %j', (count, sizes) => {
    const { reading } = read(`user_id\n${users(count)}`);
    expect(placesOf(reading).map((it) => it.users)).toEqual(sizes);
  });

  it('lead to every user once and in order, also where rows fill several segments', () => {
    const note = 'n'.repeat(6_000);
    const count = 3_500;
    const rows = Array.from({ length: count }, (_, i) => `u${i},${note}\n`).join('');
    const { reading, segments } = read(`user_id,note\n${rows}`);
    expect(segments.map((it) => it.number)).toEqual([0, 1, 2]);
    expect(segments[0]?.bytes.length).toBeGreaterThanOrEqual(SEGMENT_BYTES);

    const ids = placesOf(reading).flatMap((place) => usersOf(place, segments));
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => `u${i}`));
    for (const { start, end, users: size } of placesOf(reading)) {
      expect(size).toBeLessThanOrEqual(BLOCK_USERS_MAX);
      expect(end - start).toBeLessThan(BLOCK_BYTES_MAX + 7_000);
    }
  });
});

describe('a piece of tiny rows under a long header', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => i.toString(36).padStart(3, '0'));
  const head = `user_id,${'x'.repeat(60_000)}\n`;
  // A gigabyte of alerts in no more than a usual chunk.
  const piece = Buffer.from(ids.map((id) => `${id},\n`).join(''));

  it('is read no further than to the end of a segment, before that is taken', () => {
    const reading = new FileReading({ fileId: 'f', fileName: 'a', idColumn: 'user_id' });
    expect([...reading.read(Buffer.from(head))]).toEqual([]);
    const rows: number[] = [];
    const memory = new Set<ArrayBufferLike>();
    let users: string[] = [];
    for (const { bytes } of reading.read(piece)) {
      rows.push(reading.counts.rows);
      memory.add(bytes.buffer);
      users = users.concat(linesOf(bytes).map((line) => line.slice(11, 14)));
      expect(bytes.length).toBeLessThan(SEGMENT_BYTES + BLOCK_BYTES_MAX + 2 * FRAME_BYTES_MAX);
    }
    for (const { bytes } of reading.end()) {
      users = users.concat(linesOf(bytes).map((line) => line.slice(11, 14)));
    }
    expect(users).toEqual(ids);
    // Segment by segment, and all of them in the same memory.
    expect(rows.length).toBeGreaterThan(50);
    expect(new Set(rows).size).toBe(rows.length);
    expect(memory.size).toBe(1);
  });

  it('is stored whole also where the file ends with it, as NDJSON is', () => {
    const note = 'n'.repeat(50_000);
    const objects = ids.slice(0, 800).map((id) => `{"user_id":"${id}","note":"${note}"}`);
    const { alerts, segments } = read(objects.join('\n'));
    expect(alerts.map((it) => it.userId)).toEqual(ids.slice(0, 800));
    expect(segments.length).toBeGreaterThan(3);
  });
});

function usersOf(place: BlockPlace, segments: readonly Segment[]): string[] {
  const bytes = segments[place.segment]?.bytes.subarray(place.start, place.end);
  const ids = linesOf(bytes ?? new Uint8Array(0)).map((line) => JSON.parse(line).userId);
  expect(ids).toHaveLength(place.users);
  return ids;
}
