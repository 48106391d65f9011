/** `npm run rotate -- master-key`: another version of the master key, and all sealed with it. */
import { parseArgs } from 'node:util';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { openDb } from '../functions/shared/aws/db.ts';
import { systemClock, systemIds } from '../functions/shared/system.ts';
import { SECOND_MS } from '../functions/shared/units.ts';
import {
  type Count,
  countOlder,
  type RotationStep,
  rotateMasterKey,
} from '../functions/webhooks/rotate-master-key.ts';
import { findMasterKey, findTables, listTenants } from './stack-resources.ts';

const LOCAL_CLOUD = { dynamodb: 'http://127.0.0.1:3001', secrets: 'http://127.0.0.1:3004' };

/** Functions remember a secret for five minutes, and one invocation lasts two at most. */
const WAIT_SECONDS = 420;

const USAGE = `Usage: npm run rotate -- master-key [options]
  --dry-run        count what is sealed with an older version, and change nothing
  --wait SECONDS   how long functions may work with what they have read (${WAIT_SECONDS});
                   shorter only while none is running
  --endpoint URL   DynamoDB of a local cloud (${LOCAL_CLOUD.dynamodb})
  --secrets URL    Secrets Manager of a local cloud (${LOCAL_CLOUD.secrets})
  --aws            those of AWS, with region and credentials from the environment
  --stack NAME     whose tables and secret (Tallyhook)
  --help           this text
TABLE_CONTROL, TABLE_ENDPOINTS and SECRET_MASTER_KEY name them, where the stack does not tell.
It takes a quarter of an hour, may be stopped at any time, and goes on where it was when it is
called again. Webhooks go out meanwhile. docs/runbook.md says when it is needed.`;

function readFlags(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'dry-run': { type: 'boolean', default: false },
      wait: { type: 'string', default: String(WAIT_SECONDS) },
      endpoint: { type: 'string' },
      secrets: { type: 'string' },
      aws: { type: 'boolean', default: false },
      stack: { type: 'string', default: 'Tallyhook' },
      help: { type: 'boolean', default: false },
    },
  });
  if (!values.help && positionals.join(' ') !== 'master-key') {
    throw new Error('say what to rotate: master-key');
  }
  if (values.aws && (values.endpoint !== undefined || values.secrets !== undefined)) {
    throw new Error('--aws goes without --endpoint and --secrets');
  }
  if (!/^\d{1,4}$/.test(values.wait)) throw new Error('--wait is a number of seconds');
  return values;
}

type Flags = ReturnType<typeof readFlags>;

function openClients({ aws, endpoint, secrets }: Flags) {
  if (aws) return { dynamodb: new DynamoDBClient(), secrets: new SecretsManagerClient() };
  const local = {
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  const { AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_SECRETS_MANAGER } = process.env;
  const dynamodbUrl = endpoint ?? AWS_ENDPOINT_URL_DYNAMODB ?? LOCAL_CLOUD.dynamodb;
  const secretsUrl = secrets ?? AWS_ENDPOINT_URL_SECRETS_MANAGER ?? LOCAL_CLOUD.secrets;
  return {
    dynamodb: new DynamoDBClient({ ...local, endpoint: dynamodbUrl }),
    secrets: new SecretsManagerClient({ ...local, endpoint: secretsUrl }),
  };
}

/** The master key's secret, read anew each time. */
function openSecret(client: SecretsManagerClient, SecretId: string) {
  return {
    async read(): Promise<string> {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId }));
      if (!SecretString) throw new Error('the secret of the master key is empty');
      return SecretString;
    },
    async write(text: string): Promise<void> {
      await client.send(new PutSecretValueCommand({ SecretId, SecretString: text }));
    },
  };
}

async function main(flags: Flags): Promise<void> {
  const clients = openClients(flags);
  const tables = await findTables(clients.dynamodb, flags.stack, ['control', 'endpoints']);
  const db = openDb({ client: clients.dynamodb, tables });
  const secret = openSecret(clients.secrets, await findMasterKey(clients.secrets, flags.stack));
  const doors = { clock: systemClock, ids: systemIds, db, secret };
  const world = { ...doors, tenantIds: () => listTenants(db) };
  if (flags['dry-run']) {
    const { endpoints, older } = await countOlder(world);
    print(`${endpoints} endpoints, ${older} with something sealed by an older key`);
    return;
  }
  const patienceMs = Number(flags.wait) * SECOND_MS;
  await rotateMasterKey(world, { patienceMs, tell: (step) => print(inWords(step)) });
}

function inWords(step: RotationStep): string {
  switch (step.kind) {
    case 'added':
      return `version ${step.version} is added; nothing is sealed with it yet`;
    case 'current':
      return `version ${step.version} is current: what is new is sealed with it`;
    case 'waiting':
      return `waiting ${Math.ceil(step.ms / SECOND_MS)} s until every function has read it …`;
    case 'done':
      return doneInWords(step.version, step.count);
  }
}

function doneInWords(version: number, { endpoints, older }: Count): string {
  return `${endpoints} endpoints, ${older} sealed anew: all have version ${version}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  const flags = readFlags(process.argv.slice(2));
  if (flags.help) print(USAGE);
  else await main(flags);
} catch (error) {
  const line = error instanceof Error ? error.message.split('\n')[0] : String(error);
  process.stderr.write(`rotate: ${line}\n`);
  process.exitCode = 1;
}
