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
  logLevel: z
    .enum(['info', 'warn', 'error'])
    .default('info')
    .describe('The least important lines that functions log.'),
  logRetentionDays: z.coerce
    .number()
    .refine((days) => LOG_RETENTION_DAYS.includes(days), `must be one that CloudWatch knows`)
    .default(30)
    .describe('How long the logs of functions and of the API are kept, in days.'),
  lambdaConcurrency: number(30, 100_000)
    .int()
    .default(1_000)
    .describe('Concurrent executions that the account allows in this region.'),
  workerShare: number(0.1, 0.9)
    .default(0.6)
    .describe('Share of `lambdaConcurrency` for queue consumers; the API keeps the rest.'),
  reconcileAfterSeconds: number(1, 3_600)
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
 * Reads the variables that a function was deployed with, the only door to the environment.
 * Throws at the start of the function with the names that are missing or wrong, never a value.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.output<z.ZodObject<Shape>> {
  const config = z.object(shape).safeParse(process.env);
  if (!config.success) throw new Error(`environment refused:\n${z.prettifyError(config.error)}`);
  return config.data;
}
