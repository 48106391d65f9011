import * as z from 'zod';

/** A whole number or a fraction, also as the text that `-c name=value` and an environment hold. */
const number = (min: number, max: number) => z.coerce.number().min(min).max(max);

/**
 * Everything that an installation may be told: name, range, default and meaning. The deployment
 * takes a value as `cdk deploy -c name=value`, the local cloud as `TALLYHOOK_LOG_LEVEL`. An
 * option is in this table only when it takes effect.
 */
export const OPTIONS = z.strictObject({
  stage: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,15}$/, 'must be 1 to 16 small letters and digits')
    .default('dev')
    .describe('Name of the installation. `prod` keeps its data when the stack is deleted.'),
  egress: z
    .enum(['public', 'loopback'])
    .default('public')
    .describe('`loopback` allows receivers on this machine over http, on a local cloud only.'),
  apiHosts: z
    .string()
    .regex(/^([a-z0-9.-]+(,[a-z0-9.-]+)*)?$/, 'must be host names with commas between')
    .default('')
    .describe('Names of your own that lead to the API: no receiver may be there.'),
  restoreFrom: z
    .string()
    .regex(
      /^([\w.-]{3,200}@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})?$/,
      'must be <prefix of the restored tables>@<label of the stream of the outbox>',
    )
    .default('')
    .describe('Tables restored from a backup, which stand in for those of the stack.'),
  logLevel: z
    .enum(['info', 'warn', 'error'])
    .default('info')
    .describe('The least important lines that functions log.'),
  logRetentionDays: z.coerce
    .number()
    .refine((days) => LOG_RETENTION_DAYS.includes(days), `must be one that CloudWatch knows`)
    .default(30)
    .describe('How long the logs of functions and of the API are kept, in days.'),
  lambdaConcurrency: number(40, 100_000)
    .int()
    .default(1_000)
    .describe('Concurrent executions that the account allows in this region.'),
  workerShare: number(0.1, 0.9)
    .default(0.6)
    .describe('Share of `lambdaConcurrency` for queue consumers; the API keeps the rest.'),
  inboxMaxBacklog: number(1, 1_000_000)
    .int()
    .default(1_000)
    .describe('Webhooks with an API key that may be open at a time, per tenant.'),
  inboxMaxAttempts: number(1, 20)
    .int()
    .default(5)
    .describe('Attempts to process a webhook that was taken in, before it has failed.'),
  inboxRetryBaseSeconds: number(0.1, 600)
    .default(5)
    .describe('The longest pause before the second attempt. It doubles with each one.'),
  inboxRetryMaxSeconds: number(1, 840)
    .default(300)
    .describe('The longest pause between two attempts.'),
  // Beyond it, /ready and the alarm would take this patience for an outage.
  reconcileAfterSeconds: number(1, 180)
    .default(120)
    .describe('Age at which an event that has not left the outbox is relayed again.'),
  recheckAfterSeconds: number(2, 86_400)
    .default(1_200)
    .describe('Age at which deliveries that got lost on the way are sent again.'),
});

/** The retention times that CloudWatch Logs accepts, up to ten years. */
const LOG_RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
  3653,
];

/** The options of an installation, each within its range. */
export type Options = z.output<typeof OPTIONS>;

/** Throws with the name of each unknown or out-of-range option. Absent ones get their default. */
export function readOptions(given: Readonly<Record<string, unknown>>): Options {
  const options = OPTIONS.safeParse(given);
  if (!options.success) throw new Error(`options refused:\n${z.prettifyError(options.error)}`);
  return options.data;
}

/**
 * Tables that stand in for those of a stack are called `<stack>-r1-ledger`, with any number. Throws
 * where the prefix is not of that form, or of another stack: whoever forgot one flag would have a
 * stage work on the money of another.
 */
export function checkRestoredPrefix(stack: string, prefix: string): void {
  if (prefix.startsWith(`${stack}-r`) && /^\d{1,6}$/.test(prefix.slice(stack.length + 2))) return;
  throw new Error(
    `restoreFrom: ${prefix}-ledger was not restored for ${stack}, ` +
      `whose restored tables are ${stack}-r1-ledger and so on, with any number`,
  );
}
