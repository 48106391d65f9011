import { PROBLEMS } from './problem.ts';

/**
 * The values that a label may have; `seen` are those that were counted, of a list that the routes
 * or the functions bound.
 */
type Values = readonly string[] | 'seen';

/** A number that only rises, counted by all instances together. */
export interface Counter {
  readonly kind: 'counter';
  readonly help: string;
  /** Each combination of the values is counted apart. Never an id, and nothing of a tenant. */
  readonly labels: Readonly<Record<string, Values>>;
}

/** How long something takes, in seconds, by how many times it took no longer than each bound. */
export interface Histogram {
  readonly kind: 'histogram';
  readonly help: string;
}

/** A number that is what it is now, found out when somebody asks. */
export interface Gauge {
  readonly kind: 'gauge';
  readonly help: string;
  readonly label?: string;
}

/**
 * What alarms look at. It is told at once, as a metric of CloudWatch of the stage, because what an
 * instance only counts is told when it works again.
 */
export const SIGNALS = [
  'ApiFaults',
  'AuditViolations',
  'AuditsFailed',
  'DropsOfNobody',
  'EventsLeftUnrelayed',
  'GivenUpRows',
  'OldestUnrelayedMs',
  'RateLimitClocksDiffer',
  'RateLimitsAlone',
  'RateLimitsUnreserved',
  'ReconcilerTicks',
  'SweeperTicks',
  'UnreadableRows',
  'WebhooksFailed',
] as const;

export type SignalName = (typeof SIGNALS)[number];

/** Of transactions: the ledger's own. */
const TYPES = ['credit', 'debit', 'transfer', 'journal', 'reversal', 'capture', 'hold'] as const;

/** Everything that instances count. `GET /metrics` and the metrics of CloudWatch come from it. */
export const METERS = {
  tallyhook_http_requests_total: {
    kind: 'counter',
    help: 'Requests by route and status, but those for docs, health and paths without a route.',
    labels: { route: 'seen', status: 'seen' },
  },
  tallyhook_http_request_duration_seconds: {
    kind: 'histogram',
    help: 'How long a request took inside its function.',
  },
  tallyhook_refusals_total: {
    kind: 'counter',
    help: 'Requests that were refused, by the code of the problem.',
    labels: { code: Object.keys(PROBLEMS) as (keyof typeof PROBLEMS)[] },
  },
  tallyhook_transactions_total: {
    kind: 'counter',
    help: 'Transactions that the journal has: posted, or rejected and remembered under their key.',
    labels: { status: ['posted', 'rejected'], type: TYPES },
  },
  tallyhook_ledger_ahead_total: {
    kind: 'counter',
    help: 'Transactions dated over a second ahead, behind an entry of a clock that was fast.',
    labels: {},
  },
  tallyhook_delivery_attempts_total: {
    kind: 'counter',
    help: 'Webhooks sent out, by what came of it; abandoned: its time was over before it went out.',
    labels: { outcome: ['delivered', 'failed', 'unknown', 'abandoned'] },
  },
  tallyhook_deliveries_total: {
    kind: 'counter',
    help: 'How often a delivery, or an alert of a file, came to a status.',
    labels: {
      status: [
        ...(['waiting', 'inflight', 'retrying', 'held', 'delivered'] as const),
        ...(['exhausted', 'uncertain', 'expired', 'cancelled'] as const),
      ],
    },
  },
  tallyhook_delivery_age_seconds: {
    kind: 'histogram',
    help: 'From the commit of an event until its receiver took it, at the first attempt.',
  },
  tallyhook_delivery_lag_seconds: {
    kind: 'histogram',
    help: 'How long after its time (commit, slot, or end of the pause) an attempt began.',
  },
  tallyhook_breaker_changes_total: {
    kind: 'counter',
    help: 'Endpoints whose breaker opened after failures, or closed after a success.',
    labels: { to: ['open', 'closed'] },
  },
  tallyhook_tasks_total: {
    kind: 'counter',
    help: 'Tasks that came to their end when they were due.',
    labels: { state: ['fired', 'failed'] },
  },
  tallyhook_task_lateness_seconds: {
    kind: 'histogram',
    help: 'How long after its due time a task was done.',
  },
  tallyhook_files_parsed_total: {
    kind: 'counter',
    help: 'Uploads that were read to their end, or that no parser can read.',
    labels: { result: ['parsed', 'failed'] },
  },
  tallyhook_file_rows_total: {
    kind: 'counter',
    help: 'Rows of uploads that were read: each user once, repeated ones, and what is no row.',
    labels: { result: ['user', 'duplicate', 'malformed'] },
  },
  tallyhook_file_parse_duration_seconds: {
    kind: 'histogram',
    help: 'How long it took to read an upload to its end.',
  },
  webhook_events_total: {
    kind: 'counter',
    help: 'Webhooks of others, by what became of the request: a duplicate is one that was known.',
    labels: { result: ['accepted', 'duplicate', 'rejected'] },
  },
  webhook_conflicts_total: {
    kind: 'counter',
    help: 'Webhooks that came again under the same id with another body; the first was kept.',
    labels: {},
  },
  webhook_processed_total: {
    kind: 'counter',
    help: 'Received webhooks that came to their end.',
    labels: { status: ['completed', 'failed'] },
  },
  webhook_processing_errors_total: {
    kind: 'counter',
    help: 'Attempts to process a received webhook that failed, by their error.',
    labels: { error: ['busy', 'unavailable', 'worker_lost', 'internal'] },
  },
  webhook_processing_duration_seconds: {
    kind: 'histogram',
    help: 'How long one attempt to process a received webhook took.',
  },
  tallyhook_messages_total: {
    kind: 'counter',
    help: 'Messages and stream records that a function took; failed ones come again.',
    labels: { function: 'seen', result: ['done', 'failed'] },
  },
  tallyhook_function_errors_total: {
    kind: 'counter',
    help: 'Invocations that threw. What Lambda killed is in its own metric Errors only.',
    labels: { function: 'seen' },
  },
  tallyhook_cold_starts_total: {
    kind: 'counter',
    help: 'Instances that began to work.',
    labels: { function: 'seen' },
  },
  tallyhook_signals_total: {
    kind: 'counter',
    help: 'How often what an alarm looks at was told: the metric of that name in CloudWatch.',
    labels: { signal: SIGNALS },
  },
} as const satisfies Readonly<Record<string, Counter | Histogram>>;

/** What `GET /metrics` finds out besides, each time. */
export const GAUGES = {
  webhook_queue_depth: {
    kind: 'gauge',
    help: 'About how many webhooks that were taken in wait or are being processed.',
  },
  tallyhook_queue_depth: {
    kind: 'gauge',
    help: 'About how many messages a queue has: waiting, delayed, and being worked on.',
    label: 'queue',
  },
  tallyhook_oldest_message_seconds: {
    kind: 'gauge',
    help:
      'How old the oldest message of a queue was when CloudWatch last saw it, up to about ' +
      '4 minutes ago; 0 if the queue is empty.',
    label: 'queue',
  },
  tallyhook_dead_letters: {
    kind: 'gauge',
    help: 'About how many messages our code has failed on and parked, by their queue.',
    label: 'queue',
  },
  tallyhook_oldest_dead_letter_seconds: {
    kind: 'gauge',
    help:
      'How long the oldest of them was parked when CloudWatch last saw them, up to about ' +
      '4 minutes ago; 0 if none is.',
    label: 'queue',
  },
  tallyhook_oldest_due_seconds: {
    kind: 'gauge',
    help: 'Since when work of a queue is due and not done: the age of its minute; 0 if none is.',
    label: 'queue',
  },
  tallyhook_oldest_unrelayed_seconds: {
    kind: 'gauge',
    help: 'The age of the oldest minute of the outbox that is not known to be relayed.',
  },
  tallyhook_sweeper_age_seconds: {
    kind: 'gauge',
    help: 'How long ago the time was up to which the sweeper has looked at all tables.',
  },
  tallyhook_open_endpoints: {
    kind: 'gauge',
    help: 'Endpoints whose breaker is open: what they should get is held.',
  },
  tallyhook_damaged_meters: {
    kind: 'gauge',
    help: 'Rows of the table of all counters with something in them that is no count.',
  },
  tallyhook_scrape_errors: {
    kind: 'gauge',
    help: '1 for whatever did not answer just now, so that its metrics are missing.',
    label: 'source',
  },
} as const satisfies Readonly<Record<string, Gauge>>;

type StatusOf = (typeof METERS)['tallyhook_deliveries_total']['labels']['status'][number];
type OutcomeOf = (typeof METERS)['tallyhook_delivery_attempts_total']['labels']['outcome'][number];

/** What there may be in CloudWatch: each is paid for, so that only two are told by label. */
export type MetricName =
  | SignalName
  | keyof typeof METERS
  | `tallyhook_deliveries_total_${StatusOf}`
  | `tallyhook_delivery_attempts_total_${OutcomeOf}`;
