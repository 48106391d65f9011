import type { Entry } from '../../../lib/access.ts';
import { UNITS, UNITS_OF_ALERT, unitsIn } from '../../support/units.ts';
import type { House } from './house.ts';
import { type Amounts, times, together } from './prices.ts';

/** How long functions run, in milliseconds: once for all that they have in hand, and for each. */
interface Run {
  readonly wait: number;
  readonly each: number;
}

/** What nobody can know before it runs on AWS. Each figure is on the page. */
export const ASSUMED = {
  request: { wait: 20, each: 10 },
  money: { wait: 35, each: 10 },
  streamed: { wait: 20, each: 2 },
  due: { wait: 30, each: 5 },
  /** Two writes, and a receiver that answers in 100 ms. */
  sent: { wait: 120, each: 5 },
  tick: { wait: 800, each: 0 },
  /** It asks 24 queues, eight pages of counters, and CloudWatch. */
  scrape: { wait: 200, each: 0 },
  /** Where each function has counted close to 1 KB in each of its pages. */
  scrapeReads: 72,
  scrapeBytes: 30_000,
  scrapesOfMinute: 4,
  /** A row of a file: 100,000 a second, a fifth of what `node bench/file-reading.ts` measures. */
  parsedRowMs: 0.01,
  /** A batch of 25 alerts waits once; at 50 a second each takes its 20 ms. */
  alertMs: { unlimited: 130 / 25, fiftyASecond: 20 },
  usersOfFile: 10_000,
  usersOfBlock: 1_000,
  lineBytes: 400,
  /** What Lambda itself writes for an invocation. */
  platformBytes: 350,
  accessLineBytes: 250,
  webhookBytes: 1_500,
  answerBytes: 1_000,
  /** What the reconciler reads of a delivery in its life. */
  recheckReads: 2.3,
  /** Long polls of 20 seconds by the five pollers that each source has at least. */
  pollsOfQueueAMinute: 15,
  minutesOfMonth: 30 * 24 * 60,
} as const;

const GB = 1_000_000_000;

/** How much comes at once: one by one, or as much as each batch takes. */
export type Load = 'alone' | 'many';

/** One piece of work, priced: how much of everything it uses. */
export type Job = (house: House, load: Load) => Amounts;

const spent = (text: string): Amounts => {
  const { reads, writes } = unitsIn(text);
  return { read: reads, write: writes };
};

/** One item's share of an invocation that has `size` of them in hand. */
function run(entry: Entry, { wait, each }: Run, house: House, size = 1): Amounts {
  const ms = wait / size + each;
  const bytes = ASSUMED.lineBytes + ASSUMED.platformBytes / size;
  return {
    call: 1 / size,
    gbSecond: (house.memoryGb(entry) * ms) / 1_000,
    log: bytes / GB,
  };
}

const sizeOf = (entry: Entry, house: House, load: Load) =>
  load === 'alone' ? 1 : house.batchOf(entry);

/** A request and its answer. */
function request(entry: Entry, how: Run, house: House): Amounts {
  const edge = { api: 1, out: ASSUMED.answerBytes / GB, log: ASSUMED.accessLineBytes / GB };
  return together(edge, run(entry, how, house));
}

/** A message: sent, received and deleted, and the worker that it wakes. */
function message(entry: Entry, how: Run, [house, load]: Parameters<Job>): Amounts {
  const size = sizeOf(entry, house, load);
  return together({ queue: 3 / size, fair: 3 / size }, run(entry, how, house, size));
}

/** An event on its way to the queues of deliveries, which it may not need. */
function relay(house: House, load: Load): Amounts {
  const size = sizeOf('webhooks/on-outbox', house, load);
  return together(spent(UNITS.relayMark), run('webhooks/on-outbox', ASSUMED.streamed, house, size));
}

function lines(written: Amounts, house: House, load: Load): Amounts {
  const size = sizeOf('ledger/on-posted', house, load);
  return together(written, run('ledger/on-posted', ASSUMED.streamed, house, size));
}

/** What moves money: the request, its event on its way, and its lines of statements. */
const money =
  (units: string, written: Amounts): Job =>
  (house, load) =>
    together(
      spent(units),
      request('ledger/api', ASSUMED.money, house),
      relay(house, load),
      lines(written, house, load),
    );

const TWO_LINES = spent(UNITS.linesOfTransfer);
const ONE_LINE = { write: unitsIn(UNITS.linesOfTransfer).writes / 2 };

const attempt =
  (units: string): Job =>
  (house, load) =>
    together(
      spent(units),
      { out: ASSUMED.webhookBytes / GB },
      message('webhooks/on-delivery', ASSUMED.sent, [house, load]),
    );

function alert(how: keyof typeof ASSUMED.alertMs): Job {
  const { reads, writes } = UNITS_OF_ALERT[how];
  const blockMs = ASSUMED.alertMs[how];
  return (house) => {
    const { usersOfBlock, usersOfFile, parsedRowMs, lineBytes, platformBytes } = ASSUMED;
    const ofBlock = 1 / usersOfBlock;
    const ofFile = 1 / usersOfFile;
    return {
      read: reads,
      write: writes,
      gbSecond:
        (house.memoryGb('files/on-block') * blockMs +
          house.memoryGb('files/on-upload') * parsedRowMs) /
        1_000,
      call: ofBlock + ofFile,
      queue: 3 * (ofBlock + ofFile),
      fair: 3 * (ofBlock + ofFile),
      rule: ofFile,
      // The upload, segments, the index; the results of each block.
      put: ofBlock + 4 * ofFile,
      get: ofBlock + 2 * ofFile,
      // One line for a batch of 25.
      log: (lineBytes / 25 + platformBytes * ofBlock) / GB,
      out: ASSUMED.webhookBytes / GB,
    };
  };
}

/** What a request takes in, and a worker makes an event of. */
function later({ taken, api, sent, worker }: Later): Job {
  return (house, load) =>
    together(
      spent(taken),
      request(api, ASSUMED.request, house),
      spent(sent),
      message(worker, ASSUMED.due, [house, load]),
      relay(house, load),
    );
}

interface Later {
  readonly taken: string;
  readonly api: Entry;
  readonly sent: string;
  readonly worker: Entry;
}

/** The jobs of docs/cost.md, in its order. */
export const JOBS: Readonly<Record<string, Job>> = {
  'a transfer, its event and its lines': money(UNITS.transfer, TWO_LINES),
  'a credit from outside': money(UNITS.credit, spent(UNITS.linesOfCredit)),
  'a hold and its capture': (house, load) =>
    together(
      money(UNITS.hold, ONE_LINE)(house, load),
      money(UNITS.capture, TWO_LINES)(house, load),
    ),
  'an event of your own': (house, load) =>
    together(spent(UNITS.event), request('events/api', ASSUMED.request, house), relay(house, load)),
  'a webhook that is taken at once': (house, load) =>
    together(attempt(UNITS.delivery)(house, load), { read: ASSUMED.recheckReads }),
  'an attempt that fails': attempt(UNITS.failedAttempt),
  'the retry that succeeds': attempt(UNITS.retry),
  'an alert of a file, endpoint without a limit': alert('unlimited'),
  'an alert of a file, at 50 a second': alert('fiftyASecond'),
  'a task that sends an event': later({
    ...{ taken: UNITS.task, api: 'tasks/api' },
    ...{ sent: UNITS.firedEvent, worker: 'tasks/on-due' },
  }),
  'a webhook of another, sent on as an event': later({
    ...{ taken: UNITS.receipt, api: 'inbox/api' },
    ...{ sent: UNITS.forwarding, worker: 'inbox/on-receipt' },
  }),
};

/** A month in which Prometheus asks, and one queue always has a message whose age is asked for. */
export function scrapedMonth(house: House): Amounts {
  const scrape = together(
    { api: 1, read: ASSUMED.scrapeReads, queue: house.queues + house.deadLetterQueues },
    { out: ASSUMED.scrapeBytes / GB, log: ASSUMED.accessLineBytes / GB },
    run('operations/admin-api', ASSUMED.scrape, house),
  );
  return together(
    times(ASSUMED.minutesOfMonth * ASSUMED.scrapesOfMinute, scrape),
    times(ASSUMED.minutesOfMonth, { age: 1 }),
  );
}

/** A month in which nobody calls. */
export function idleMonth(house: House): Amounts {
  const minutes = ASSUMED.minutesOfMonth;
  const polls = house.queues * ASSUMED.pollsOfQueueAMinute * minutes;
  const { read = 0, write = 0 } = spent(UNITS.quietMinute);
  const ticks = together(
    run('timers/on-minute', ASSUMED.tick, house),
    run('webhooks/on-reconcile', ASSUMED.tick, house),
  );
  const { call = 0, gbSecond = 0, log = 0 } = ticks;
  return {
    read: read * minutes,
    write: write * minutes,
    call: call * minutes,
    gbSecond: gbSecond * minutes,
    // Of each table that it sweeps, the sweeper writes a line.
    log: (log + (7 * ASSUMED.lineBytes) / GB) * minutes,
    rule: 2 * minutes,
    queue: polls,
    alarm: house.alarms,
    metric: house.metrics,
    dashboard: 1,
    secret: house.secrets,
  };
}
