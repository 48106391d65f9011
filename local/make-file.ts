import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { type FileRecipe, makeLines } from './make-file/lines.ts';
import { openOutput } from './make-file/output.ts';
import { joinNegatives, readNumberFlag } from './number-flag.ts';

const HELP = `Writes a CSV file of users to standard output, to upload to Tallyhook.

  npm run make-file -- [options] > users.csv
  npm run --silent make-file -- [options] | head

  --rows N            data rows in all (1000)
  --duplicates N      so many of them repeat an earlier user; below 1 it is a share, as 0.05
  --malformed N       so many of them are broken; below 1 it is a share
  --columns N         user_id, first_name, city, note and more (4)
  --quotes            separators and doubled quotes in some fields
  --newlines          line breaks in some fields
  --crlf              lines end in CR LF
  --no-id             no column is called user_id
  --unclosed-quote    one more row at the end opens a quote that nothing closes
  --seed N            another mixture (1); the same flags and seed give the same bytes
  --help              this text

What is in the file is said on standard error.
`;

const FLAGS = {
  rows: { type: 'string', default: '1000' },
  duplicates: { type: 'string', default: '0' },
  malformed: { type: 'string', default: '0' },
  columns: { type: 'string', default: '4' },
  quotes: { type: 'boolean', default: false },
  newlines: { type: 'boolean', default: false },
  crlf: { type: 'boolean', default: false },
  'no-id': { type: 'boolean', default: false },
  'unclosed-quote': { type: 'boolean', default: false },
  seed: { type: 'string', default: '1' },
  help: { type: 'boolean', default: false },
} as const;

const ROWS_MAX = 100_000_000;
const CHUNK_LENGTH = 65_536;

/** Throws with a sentence for the person at the keyboard. */
function readRecipe(args: readonly string[]): FileRecipe | 'help' {
  const { values } = parseArgs({ args: joinNegatives(args), options: FLAGS });
  if (values.help) return 'help';
  const rows = readNumberFlag('rows', values.rows, { max: ROWS_MAX, whole: true });
  return {
    rows,
    duplicates: readCount('duplicates', values.duplicates, rows),
    malformed: readCount('malformed', values.malformed, rows),
    columns: Math.max(1, readNumberFlag('columns', values.columns, { max: 1_000, whole: true })),
    quotes: values.quotes,
    newlines: values.newlines,
    lineEnd: values.crlf ? '\r\n' : '\n',
    noId: values['no-id'],
    unclosedQuote: values['unclosed-quote'],
    seed: readNumberFlag('seed', values.seed, { max: 2 ** 32 - 1, whole: true }),
  };
}

/** A share of the rows below 1, else a number of rows. */
function readCount(flag: string, text: string, rows: number): number {
  const value = readNumberFlag(flag, text, { max: ROWS_MAX });
  return value < 1
    ? Math.round(value * rows)
    : readNumberFlag(flag, text, { max: rows, whole: true });
}

/** Lines are joined, because a write per line would take most of the time. */
function* joinLines(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += line;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

async function main(): Promise<void> {
  const recipe = readRecipe(process.argv.slice(2));
  if (recipe === 'help') return void process.stdout.write(HELP);

  await pipeline(Readable.from(joinLines(makeLines(recipe))), openOutput(process.env));
  const { rows, duplicates, malformed } = recipe;
  const users = rows - duplicates - malformed;
  console.error(`${rows} rows: ${users} users, ${duplicates} duplicates, ${malformed} malformed`);
}

main().catch((error: NodeJS.ErrnoException) => {
  // Whoever reads has seen enough, as `| head` has.
  if (error.code === 'EPIPE') return;
  console.error(error.message.split('\n')[0]);
  process.exitCode = 1;
});
