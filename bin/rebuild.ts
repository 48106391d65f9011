/** `npm run rebuild -- statements`: what is projected from the journal, made anew from it. */
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type Rebuilt, rebuildStatements } from '../functions/ledger/rebuild-statements.ts';
import { openDb } from '../functions/shared/aws/db.ts';
import { systemClock, systemIds } from '../functions/shared/system.ts';
import { findTables, listTenants } from './stack-resources.ts';

const LOCAL_CLOUD = 'http://127.0.0.1:3001';

const USAGE = `Usage: npm run rebuild -- statements [options]
  --tenant ID      one tenant; else all, one after the other
  --dry-run        count what is missing or wrong, and write nothing
  --endpoint URL   DynamoDB of a local cloud (${LOCAL_CLOUD}, or AWS_ENDPOINT_URL_DYNAMODB)
  --aws            DynamoDB of AWS, with region and credentials from the environment
  --stack NAME     whose tables (Tallyhook)
  --help           this text
TABLE_CONTROL, TABLE_LEDGER and TABLE_STATEMENTS name the tables, where the stack does not tell.
It is safe at any time and any number of times. docs/runbook.md says when it is needed.`;

const TABLES = ['control', 'ledger', 'statements'] as const;

const LINES_PER_NOTE = 10_000;

function readFlags(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tenant: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      endpoint: { type: 'string' },
      aws: { type: 'boolean', default: false },
      stack: { type: 'string', default: 'Tallyhook' },
      help: { type: 'boolean', default: false },
    },
  });
  if (!values.help && positionals.join(' ') !== 'statements') {
    throw new Error('say what to rebuild: statements');
  }
  if (values.aws && values.endpoint !== undefined) {
    throw new Error('--aws and --endpoint exclude each other');
  }
  return values;
}

type Flags = ReturnType<typeof readFlags>;

function openClient({ aws, endpoint }: Flags): DynamoDBClient {
  if (aws) return new DynamoDBClient();
  return new DynamoDBClient({
    endpoint: endpoint ?? process.env.AWS_ENDPOINT_URL_DYNAMODB ?? LOCAL_CLOUD,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
}

async function main(flags: Flags): Promise<void> {
  const client = openClient(flags);
  const db = openDb({ client, tables: await findTables(client, flags.stack, TABLES) });
  const world = { clock: systemClock, ids: systemIds, db };
  const tenants = flags.tenant === undefined ? listTenants(db) : [flags.tenant];
  let busy = 0;
  for await (const tenantId of tenants) {
    let notes = 0;
    const found = await rebuildStatements(world, tenantId, {
      dryRun: flags['dry-run'],
      onPage: ({ lines }) => {
        if (lines < LINES_PER_NOTE * (notes + 1)) return;
        notes += 1;
        process.stderr.write(`${tenantId} ${lines} lines …\n`);
      },
    });
    busy += found.busyTotals;
    process.stdout.write(`${tenantId} ${inWords(found, flags['dry-run'])}\n`);
  }
  if (busy === 0) return;
  process.stderr.write('Some totals moved whenever they were read: see docs/runbook.md.\n');
  process.exitCode = 1;
}

function inWords({ lines, missing, different, wrongTotals, busyTotals }: Rebuilt, dryRun: boolean) {
  const facts = [
    `${lines} lines`,
    `${missing} missing`,
    `${different} different`,
    `${wrongTotals} wrong totals`,
    ...(busyTotals > 0 ? [`${busyTotals} busy totals`] : []),
  ].join(', ');
  const isClean = missing + different + wrongTotals === 0;
  return `${facts}${isClean ? '' : dryRun ? ': nothing was changed' : ': put right'}`;
}

try {
  const flags = readFlags(process.argv.slice(2));
  if (flags.help) process.stdout.write(`${USAGE}\n`);
  else await main(flags);
} catch (error) {
  const line = error instanceof Error ? error.message.split('\n')[0] : String(error);
  process.stderr.write(`rebuild: ${line}\n`);
  process.exitCode = 1;
}
