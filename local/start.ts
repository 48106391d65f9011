/** `npm start`: the command line of the local cloud. */
import { parseArgs } from 'node:util';
import { runDemo } from './demo.ts';
import { LocalFailure, messageOf } from './failure.ts';
import { type LocalCloud, startLocalCloud } from './local-cloud.ts';
import { joinNegatives, readNumberFlag } from './number-flag.ts';

const USAGE = `Usage: npm start -- [options]
  --port N         port of the API (3000)
  --state DIR      where everything is kept (.tallyhook)
  --fresh          start with an empty state
  --strict-egress  receivers as in AWS: https and public addresses only
  --demo           show the main job, line by line
  --help           this text
TALLYHOOK_ADMIN_KEY sets the admin key; else one is made and kept in the state.`;

const PORT_MAX = 65_535;

function readFlags(args: readonly string[]) {
  const { values } = parseArgs({
    args: joinNegatives(args),
    options: {
      port: { type: 'string', default: '3000' },
      state: { type: 'string', default: '.tallyhook' },
      fresh: { type: 'boolean', default: false },
      'strict-egress': { type: 'boolean', default: false },
      demo: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const port = readNumberFlag('port', values.port, { max: PORT_MAX, whole: true });
  if (values.state.trim() === '') throw new LocalFailure('--state must name a folder');
  return { ...values, port };
}

type Flags = ReturnType<typeof readFlags>;

async function main(flags: Flags): Promise<void> {
  const startedMs = Date.now();
  const starting = startLocalCloud({
    port: flags.port,
    stateDir: flags.state,
    fresh: flags.fresh,
    adminKey: process.env.TALLYHOOK_ADMIN_KEY,
    egress: flags['strict-egress'] ? 'public' : 'loopback',
    quiet: false,
  });
  stopOnSignal(starting);
  const cloud = await starting;
  void stopWhenBroken(cloud);
  process.stdout.write(`${welcome(cloud, Date.now() - startedMs)}\n`);
  if (flags.demo) await runDemo(cloud.apiUrl, cloud.adminKey);
}

/** Also while it starts; a second Ctrl-C does not wait. */
function stopOnSignal(starting: Promise<LocalCloud>): void {
  let isStopping = false;
  const stop = async () => {
    if (isStopping) process.exit(1);
    isStopping = true;
    const cloud = await starting.catch(() => undefined);
    await cloud?.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
}

/** Without one of its parts it would only refuse requests: then it ends, and says what to do. */
async function stopWhenBroken(cloud: LocalCloud): Promise<void> {
  const reason = await cloud.broken;
  await cloud.stop().catch(() => undefined);
  fail(`${reason}: see ${cloud.logFile}, then start again; the state stays`);
}

function welcome(cloud: LocalCloud, ms: number): string {
  const { apiUrl, adminKey, bucket, endpoints, logFile } = cloud;
  const keys = 'AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1';
  return `Tallyhook is ready (${(ms / 1_000).toFixed(1)} s). Ctrl-C stops it; its state stays.

  API        ${apiUrl}
  admin key  ${adminKey}
  log        ${logFile}
  DynamoDB   ${endpoints.dynamodb}   SQS ${endpoints.sqs}   S3 ${endpoints.s3}

Next, in another terminal:
  curl ${apiUrl}/health
  curl -X POST ${apiUrl}/v1/tenants -H 'authorization: Bearer ${adminKey}' \\
    -H 'content-type: application/json' -d '{"name":"acme"}'
  ${keys} \\
    aws --endpoint-url ${endpoints.s3} s3 cp --recursive s3://${bucket}/results/ results/
`;
}

function fail(line: string): never {
  process.stderr.write(`tallyhook: ${line}\n`);
  process.exit(1);
}

let flags: Flags;
try {
  flags = readFlags(process.argv.slice(2));
} catch (error) {
  fail(`${messageOf(error).split('\n')[0]}\n${USAGE}`);
}
if (flags.help) {
  process.stdout.write(`${USAGE}\n`);
} else {
  main(flags).catch((error) => {
    if (error instanceof LocalFailure) fail(error.message);
    fail(error instanceof Error ? String(error.stack) : String(error));
  });
}
