import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseSecret } from '../functions/webhooks/signature.ts';
import { joinNegatives, readNumberFlag } from './number-flag.ts';
import { formatCsv, formatLine, openTotals, readContent } from './receiver/report.ts';
import { type Handled, type ReceiverOptions, startReceiver } from './receiver/server.ts';

const HELP = `A receiver of webhooks to try Tallyhook against.

  npm run receiver -- [options]

  --port N         where it listens on 127.0.0.1 (4000)
  --per-second R   429 with Retry-After above this rate (0.5, one in two seconds); 0: no limit
  --secret S       the endpoint's whsec_… secret: webhooks that it does not fit get 401;
                   may be given more than once, for a rotation
  --fail-first N   500 for the first N
  --fail-share S   500 for this share of the others, 0 to 1
  --hang N         no answer for the next N
  --reset N        a cut connection for the next N after those
  --out FILE       append "userId,message" for each webhook that is accepted, once per webhook-id
  --help           this text

One line per webhook: time, answer, webhook-id, attempt, type, user, message. Ctrl-C prints totals.
`;

const FLAGS = {
  port: { type: 'string', default: '4000' },
  'per-second': { type: 'string', default: '0.5' },
  secret: { type: 'string', multiple: true },
  'fail-first': { type: 'string', default: '0' },
  'fail-share': { type: 'string', default: '0' },
  hang: { type: 'string', default: '0' },
  reset: { type: 'string', default: '0' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

interface Command {
  readonly help: boolean;
  readonly out: string | undefined;
  readonly options: ReceiverOptions;
}

/** Throws with a sentence for the person at the keyboard. */
function readCommand(args: readonly string[]): Command {
  const { values } = parseArgs({ args: joinNegatives(args), options: FLAGS });
  const { secret: secrets = [] } = values;
  if (secrets.some((secret) => !parseSecret(secret))) {
    throw new Error('--secret is whsec_ and the base64 of 24 to 64 bytes');
  }
  const options = {
    port: readNumberFlag('port', values.port, { max: 65_535, whole: true }),
    perSecond: readNumberFlag('per-second', values['per-second'], { max: 100_000 }),
    secrets,
    failNext: readNumberFlag('fail-first', values['fail-first'], {
      max: 1_000_000_000,
      whole: true,
    }),
    failShare: readNumberFlag('fail-share', values['fail-share'], { max: 1 }),
    hangNext: readNumberFlag('hang', values.hang, { max: 1_000_000_000, whole: true }),
    resetNext: readNumberFlag('reset', values.reset, { max: 1_000_000_000, whole: true }),
    keep: false,
  };
  return { help: values.help, out: values.out, options };
}

/** Writes a line for each id once, before the 2xx goes out: what is acknowledged is on file. */
function openOut(path: string | undefined): { add(webhook: Handled): void; close(): void } {
  if (path === undefined) return { add: () => {}, close: () => {} };
  const file = openForAppend(path);
  return {
    add({ answer, duplicate, body }) {
      const { userId, message = '' } = readContent(body);
      const isAccepted = typeof answer === 'object' && answer.status < 300;
      if (isAccepted && !duplicate && userId !== undefined) {
        writeSync(file, formatCsv([userId, message]));
      }
    },
    close: () => closeSync(file),
  };
}

function openForAppend(path: string): number {
  try {
    return openSync(path, 'a');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new Error(`--out ${path} cannot be written (${code})`);
  }
}

async function main(): Promise<void> {
  const { help, out, options } = readCommand(process.argv.slice(2));
  if (help) return void process.stdout.write(HELP);

  const totals = openTotals();
  const file = openOut(out);
  const receiver = await startReceiver({
    ...options,
    onWebhook(webhook) {
      file.add(webhook);
      totals.add(webhook);
      console.log(formatLine(webhook));
    },
  });
  const pace = options.perSecond ? `${options.perSecond} per second` : 'any number per second';
  console.log(`receiving at ${receiver.url} (${pace})`);

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      await receiver.close();
      file.close();
      console.log(`\n${totals.format()}`);
    });
  }
}

main().catch((error: NodeJS.ErrnoException) => {
  const isBusy = error.code === 'EADDRINUSE';
  const [sentence] = error.message.split('\n');
  console.error(isBusy ? 'the port is taken: choose another one with --port' : sentence);
  process.exitCode = 1;
});
