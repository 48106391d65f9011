import { type House, houseOfTemplate } from './house.ts';
import { ASSUMED, idleMonth, JOBS, scrapedMonth } from './jobs.ts';
import { type Amounts, dollarsOf, PRICES, PRICES_FROM, type Priced } from './prices.ts';

const MILLION = 1_000_000;

/** The columns of a bill: what each sums up. */
const COLUMNS: Readonly<Record<string, readonly Priced[]>> = {
  DynamoDB: ['read', 'write', 'stream'],
  Lambda: ['call', 'gbSecond'],
  'API, queues, S3': ['api', 'queue', 'fair', 'put', 'get', 'rule'],
  logs: ['log'],
  'sent out': ['out'],
};

/** What a million of each job costs, and what a month costs in which nobody calls. */
export function costPage(house: House = houseOfTemplate()): string {
  const rows = Object.entries(JOBS).map(([name, job]) => {
    const alone = job(house, 'alone');
    const parts = Object.values(COLUMNS).map((only) => dollars(MILLION * dollarsOf(alone, only)));
    const many = dollars(MILLION * dollarsOf(job(house, 'many')));
    return [name, ...parts, dollars(MILLION * dollarsOf(alone)), many];
  });
  const head = ['a million of', ...Object.keys(COLUMNS), 'one by one', 'many at once'];
  const months = [idle(idleMonth(house)), scraped(scrapedMonth(house))];
  const parts = [table(head, rows), stored(), ...months, assumptions(), prices()];
  return `\n${parts.join('\n\n')}\n\n`;
}

function stored(): string {
  const [table_, restorable] = [PRICES.table, PRICES.restorable].map(
    (it) => `$${exact(it.dollars)}`,
  );
  return (
    `A million items of 1 KB, kept for a month, are ${table_} on top, and ${restorable} for\n` +
    'their point-in-time recovery.'
  );
}

function idle(month: Amounts): string {
  const parts: Readonly<Record<string, readonly Priced[]>> = {
    'DynamoDB: looking each minute for what is due or lost': ['read', 'write'],
    'Lambda and EventBridge: the same': ['call', 'gbSecond', 'rule'],
    'SQS: Lambda polls empty queues': ['queue'],
    'CloudWatch: alarms, metrics, dashboard, logs': ['alarm', 'metric', 'dashboard', 'log'],
    'Secrets Manager': ['secret'],
  };
  return monthly('a month in which nobody calls', month, parts);
}

function scraped(month: Amounts): string {
  return monthly('a month in which Prometheus reads `/metrics` every 15 seconds', month, {
    'DynamoDB: what was counted, where it is most': ['read'],
    'API Gateway, Lambda and its log': ['api', 'call', 'gbSecond', 'log'],
    'SQS: the depth of each queue and of its dead letters': ['queue'],
    'CloudWatch: the age of each queue that is never empty, here one': ['age'],
    'sent out': ['out'],
  });
}

function monthly(
  title: string,
  month: Amounts,
  parts: Readonly<Record<string, readonly Priced[]>>,
): string {
  const rows = Object.entries(parts).map(([what, only]) => [what, dollars(dollarsOf(month, only))]);
  rows.push(['together', dollars(dollarsOf(month))]);
  return table([title, 'dollars'], rows);
}

function assumptions(): string {
  const run = ({ wait, each }: { wait: number; each: number }) => `${wait} + ${each} ms`;
  const rows = [
    ['request · one that moves money', `${run(ASSUMED.request)} · ${run(ASSUMED.money)}`],
    ['reader of the stream', run(ASSUMED.streamed)],
    ['worker of tasks, of the inbox', run(ASSUMED.due)],
    ['attempt: a receiver that answers in 100 ms', run(ASSUMED.sent)],
    ['tick of the sweeper, of the reconciler', run(ASSUMED.tick)],
    [
      'alert of a file: without a limit · at 50 a second',
      `${ASSUMED.alertMs.unlimited} ms · ${ASSUMED.alertMs.fiftyASecond} ms`,
    ],
    ['reading a row of a file', `${ASSUMED.parsedRowMs} ms`],
    [
      'users of a file · of a block',
      [ASSUMED.usersOfFile, ASSUMED.usersOfBlock].map(grouped).join(' · '),
    ],
    ['log line · of Lambda itself · of the API', logs()],
    ['webhook with its headers · answer of the API', bytesOut()],
    ['reads of the reconciler, for each delivery', `${ASSUMED.recheckReads}`],
    ['a scrape · its answer', `${run(ASSUMED.scrape)} · ${bytes(ASSUMED.scrapeBytes)}`],
    ['polls of an empty queue', `${ASSUMED.pollsOfQueueAMinute} a minute`],
  ];
  return table(['assumed', 'value'], rows);
}

const logs = () =>
  [ASSUMED.lineBytes, ASSUMED.platformBytes, ASSUMED.accessLineBytes].map(bytes).join(' · ');
const bytesOut = () => [ASSUMED.webhookBytes, ASSUMED.answerBytes].map(bytes).join(' · ');
const grouped = (count: number) => count.toLocaleString('en-US');
const bytes = (count: number) => `${grouped(count)} bytes`;

function prices(): string {
  const { date, region, source } = PRICES_FROM;
  const rows = Object.values(PRICES).map(({ of, dollars: amount, per, unit }) => [
    of,
    `$${exact(amount)}`,
    per === 1 ? unit : `a million ${unit}`,
  ]);
  const from = `Prices of ${region}, looked up on ${date}:\n${source}.`;
  return `${from}\n\n${table(['what', 'price', 'per'], rows)}`;
}

const dollars = (amount: number) => amount.toFixed(2);

/** Cents, or as many places as the price has. */
const exact = (amount: number) =>
  Math.round(amount * 100) / 100 === amount ? dollars(amount) : String(amount);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
