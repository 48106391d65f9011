import { ACCESS, type Access, type Entry } from '../../lib/access.ts';
import type { QueueName, SecretName, TableName } from '../../lib/names.ts';

type TableAction = NonNullable<NonNullable<Access['tables']>[TableName]>[number];
type BucketAction = NonNullable<Access['bucket']>[string][number];

const TABLE_LETTERS: Readonly<Record<TableAction, string>> = {
  GetItem: 'G',
  BatchGetItem: 'B',
  Query: 'Q',
  'Query listing': 'L',
  'Query due': 'T',
  'Query open': 'O',
  'Query reference': 'R',
  'Scan due': 'S',
  PutItem: 'P',
  'PutItem W#*': 'w',
  'PutItem ten_*': 'p',
  UpdateItem: 'U',
  'UpdateItem R#*': 'u',
  DeleteItem: 'D',
  'DeleteItem ten_*': 'd',
  ConditionCheckItem: 'C',
};

const BUCKET_LETTERS: Readonly<Record<BucketAction, string>> = {
  GetObject: 'G',
  GetObjectVersion: 'V',
  PutObject: 'P',
  ListBucket: 'L',
  ListBucketVersions: 'A',
};

const TABLES: readonly TableName[] = [
  'control',
  'outbox',
  'endpoints',
  'deliveries',
  'ledger',
  'statements',
  'files',
  'tasks',
  'inbox',
  'meters',
];

const QUEUES: readonly QueueName[] = [
  'delivery-fast',
  'delivery-slow',
  'endpoint-care',
  'file-events',
  'file-blocks',
  'file-care',
  'hold-expiry',
  'audits',
  'tasks',
  'inbox',
  'sweeps',
];

const SECRETS: readonly SecretName[] = ['admin-key', 'cursor-key', 'master-key'];

const ENTRIES = Object.keys(ACCESS) as Entry[];
const accessOf = (entry: Entry): Access => ACCESS[entry];

/** Who may do what, as tables of Markdown: lib/access.ts for people. */
export function accessMatrix(): string {
  const prefixes = [...new Set(ENTRIES.flatMap((it) => Object.keys(accessOf(it).bucket ?? {})))];
  return [
    '',
    `Tables: ${legendOf(TABLE_LETTERS)}.`,
    '',
    ...matrix(TABLES, ({ tables }, table) => letters(TABLE_LETTERS, tables?.[table])),
    '',
    'Queues, of which fast and slow are those of deliveries: R receive and delete, S send, D look',
    'at its dead letters, drop them, and move them back, P put something among them. Stream: R',
    'read the outbox, and send what cannot be handled to the queue of that reader; D look at',
    'those, and drop them.',
    '',
    ...matrix([...QUEUES, 'stream'] as const, queueRight, (column) =>
      column.replace('delivery-', ''),
    ),
    '',
    `Bucket, by prefix: ${legendOf(BUCKET_LETTERS)}.`,
    '',
    ...matrix(
      prefixes.toSorted(),
      ({ bucket }, prefix) => letters(BUCKET_LETTERS, bucket?.[prefix]),
      (prefix) => prefix || 'the bucket',
    ),
    '',
    'Secrets: R read.',
    '',
    ...matrix(SECRETS, ({ secrets }, secret) => (secrets?.includes(secret) ? 'R' : '')),
    '',
    'Metrics of CloudWatch, all of the account, because it knows no narrower right: GetMetricData.',
    '',
    ...ENTRIES.flatMap((entry) => (accessOf(entry).readsMetrics ? [`- ${entry}`] : [])),
    '',
    'Options that a function is told:',
    '',
    ...ENTRIES.flatMap((entry) => {
      const { options = [] } = accessOf(entry);
      return options.length > 0 ? [`- ${entry}: ${options.join(', ')}`] : [];
    }),
    '',
    '',
  ].join('\n');
}

function queueRight(access: Access, column: QueueName | 'stream'): string {
  const { consumes, sendsTo, streamOf, cares, parks } = access;
  if (column === 'stream') return streamOf ? 'R' : cares?.includes('unrelayed') ? 'D' : '';
  const rights = [
    consumes?.includes(column) && 'R',
    sendsTo?.includes(column) && 'S',
    cares?.includes(column) && 'D',
    parks?.includes(column) && 'P',
  ];
  return rights.filter(Boolean).join(' ');
}

function letters<Action extends string>(
  names: Readonly<Record<Action, string>>,
  actions: readonly Action[] = [],
): string {
  return actions.map((it) => names[it]).join(' ');
}

function legendOf(names: Readonly<Record<string, string>>): string {
  const words = Object.entries(names).map(([action, letter]) => `${letter} ${action}`);
  const wrapped: string[] = [''];
  for (const word of words.map((it, i) => (i < words.length - 1 ? `${it}, ` : it))) {
    const line = wrapped.at(-1) ?? '';
    if (line.length + word.length > LEGEND_COLUMNS) wrapped.push(word);
    else wrapped[wrapped.length - 1] = line + word;
  }
  return wrapped.map((it) => it.trimEnd()).join('\n');
}

/** Leaves room on the first line for what the legend belongs to. */
const LEGEND_COLUMNS = 76;

/** One row per Lambda that has any right here. Cells are padded, so that it reads as text too. */
function matrix<Column extends string>(
  columns: readonly Column[],
  cell: (access: Access, column: Column) => string,
  title: (column: Column) => string = (column) => column,
): string[] {
  const rows = ENTRIES.map((entry) => [
    entry,
    ...columns.map((column) => cell(accessOf(entry), column)),
  ]).filter(([, ...cells]) => cells.some((it) => it !== ''));
  const all = [['Lambda', ...columns.map(title)], ...rows];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]) =>
    `| ${cells.map((it, i) => it.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = all;
  return [line(head), line(widths.map((it) => '-'.repeat(it))), ...body.map(line)];
}
