/** One price, in dollars for so many of a unit. */
export interface Price {
  readonly of: string;
  readonly dollars: number;
  readonly per: number;
  readonly unit: string;
}

/** When and where the prices below were looked up. */
export const PRICES_FROM = {
  date: '2026-11-22',
  region: 'us-east-1',
  source: 'the first tier of `aws.amazon.com/<service>/pricing`, as public pages of 2026 quote it',
} as const;

const MILLION = 1_000_000;

/** List prices of the first tier, without free tiers, savings plans and tax. */
export const PRICES = {
  write: { of: 'DynamoDB, on demand', dollars: 0.625, per: MILLION, unit: 'WRU' },
  read: { of: 'DynamoDB, on demand', dollars: 0.125, per: MILLION, unit: 'RRU' },
  table: { of: 'DynamoDB, storage', dollars: 0.25, per: 1, unit: 'GB a month' },
  restorable: { of: 'DynamoDB, point-in-time recovery', dollars: 0.2, per: 1, unit: 'GB a month' },
  stream: { of: 'DynamoDB, stream read by Lambda', dollars: 0, per: MILLION, unit: 'reads' },
  call: { of: 'Lambda, arm64', dollars: 0.2, per: MILLION, unit: 'invocations' },
  gbSecond: { of: 'Lambda, arm64', dollars: 13.3334, per: MILLION, unit: 'GB-seconds' },
  api: { of: 'API Gateway, HTTP API', dollars: 1, per: MILLION, unit: 'requests of 512 KB' },
  queue: { of: 'SQS, standard', dollars: 0.4, per: MILLION, unit: 'requests of 64 KB' },
  fair: { of: 'SQS, with a message group', dollars: 0.1, per: MILLION, unit: 'requests, on top' },
  put: { of: 'S3, PUT and POST', dollars: 5, per: MILLION, unit: 'requests' },
  get: { of: 'S3, GET', dollars: 0.4, per: MILLION, unit: 'requests' },
  object: { of: 'S3, storage', dollars: 0.023, per: 1, unit: 'GB a month' },
  rule: { of: 'EventBridge, from S3 and by schedule', dollars: 1, per: MILLION, unit: 'events' },
  log: { of: 'CloudWatch Logs, taken in', dollars: 0.5, per: 1, unit: 'GB' },
  alarm: { of: 'CloudWatch, alarm', dollars: 0.1, per: 1, unit: 'a month' },
  metric: { of: 'CloudWatch, metric of our own', dollars: 0.3, per: 1, unit: 'a month' },
  age: { of: 'CloudWatch, metrics asked for', dollars: 10, per: MILLION, unit: 'metrics' },
  dashboard: { of: 'CloudWatch, dashboard', dollars: 3, per: 1, unit: 'a month' },
  secret: { of: 'Secrets Manager, secret', dollars: 0.4, per: 1, unit: 'a month' },
  out: { of: 'to the internet', dollars: 0.09, per: 1, unit: 'GB' },
} as const satisfies Record<string, Price>;

export type Priced = keyof typeof PRICES;

/** What a bill is made of: how much of each. */
export type Amounts = Readonly<Partial<Record<Priced, number>>>;

/** Dollars for these amounts, or for some of them only. */
export function dollarsOf(amounts: Amounts, only?: readonly Priced[]): number {
  return Object.entries(amounts)
    .filter(([name]) => !only || only.includes(name as Priced))
    .reduce((sum, [name, amount]) => {
      const { dollars, per } = PRICES[name as Priced];
      return sum + (amount * dollars) / per;
    }, 0);
}

/** So many times the same. */
export function times(count: number, amounts: Amounts): Amounts {
  const all = Object.entries(amounts).map(([name, amount]) => [name, count * amount]);
  return Object.fromEntries(all);
}

/** The amounts of several bills in one. */
export function together(...bills: readonly Amounts[]): Amounts {
  const sums: Partial<Record<Priced, number>> = {};
  for (const [name, amount] of bills.flatMap((it) => Object.entries(it))) {
    sums[name as Priced] = (sums[name as Priced] ?? 0) + amount;
  }
  return sums;
}
