import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PATIENCE } from '../../functions/shared/aws/answered.ts';
import { openDb } from '../../functions/shared/aws/db.ts';
import { checkRestoredPrefix } from '../../functions/shared/config.ts';
import { lazily } from '../../functions/shared/lazily.ts';
import type { Db } from '../../functions/shared/world.ts';
import {
  findSecret,
  findTables,
  listTables,
  restoredSets,
  restoredTables,
  type StackTable,
} from '../stack-resources.ts';
import { type ApiCaller, apiCaller } from './api-caller.ts';
import { type Given, Refusal } from './command.ts';
import { readSecret } from './secret.ts';

const LOCAL = {
  api: 'http://127.0.0.1:3000',
  dynamodb: 'http://127.0.0.1:3001',
  secrets: 'http://127.0.0.1:3004',
};

/** That of the local cloud, and of stage `dev`. */
const STACK = 'Tallyhook';

/** The installation that a command is about. Each part is looked for when it is needed. */
export interface Installation {
  readonly isAws: boolean;
  readonly stack: string;
  /** The prefix of restored tables that stand in for those of the stack. */
  readonly restored: string | undefined;
  readonly dynamodb: DynamoDBClient;
  readonly secrets: SecretsManagerClient;
  /** The names of these tables. */
  tables<Name extends StackTable>(wanted: readonly Name[]): Promise<Record<Name, string>>;
  /** These tables as the World's database. */
  db(...wanted: readonly StackTable[]): Promise<Db>;
  /** The API, called with the operator's key. */
  admin(): Promise<ApiCaller>;
  /** The API without a key. */
  visitor(): ApiCaller;
}

/** What the common flags say of where it is. */
export const WHERE: readonly string[] = [
  `--api URL        the API (${LOCAL.api}, or TALLYHOOK_API)`,
  `--dynamodb URL   DynamoDB of a local cloud (${LOCAL.dynamodb}, or AWS_ENDPOINT_URL_DYNAMODB)`,
  `--secrets URL    Secrets Manager of a local cloud (${LOCAL.secrets})`,
  '--aws            all of them on AWS, by its region and credentials; --api is the output ApiUrl',
  `--stack NAME     whose tables and secrets (TALLYHOOK_STACK; on this machine ${STACK})`,
  '--restored NAME  its restored tables: Tallyhook-r1 for Tallyhook-r1-ledger and so on',
  '                 (TALLYHOOK_RESTORED)',
];

/**
 * Where the flags and the environment say that it is. Nothing is called yet. `note` hears of it
 * when other tables could be meant, too. Refuses restored tables of another stack.
 */
export function openInstallation(
  given: Given,
  env: NodeJS.ProcessEnv,
  note: (line: string) => void,
): Installation {
  const isAws = given.has('aws');
  if (isAws && (given.text('dynamodb') ?? given.text('secrets')) !== undefined) {
    throw new Refusal('--aws goes without --dynamodb and --secrets');
  }
  // Two stages may be in one account, and the key of the wrong one must not be replaced.
  const stack = given.text('stack') ?? env.TALLYHOOK_STACK ?? (isAws ? undefined : STACK);
  if (!stack)
    throw new Refusal('say which stack: --stack Tallyhook-prod, or Tallyhook for stage dev');
  const clients = openClients(given, env);
  const restored = given.text('restored') ?? env.TALLYHOOK_RESTORED;
  if (restored === '') throw new Refusal('TALLYHOOK_RESTORED is empty: unset it');
  if (restored !== undefined) checkRestoredPrefix(stack, restored);
  // Once for a command: the name of a table does not change, and one note is enough.
  const listed = lazily(async () => {
    const names = await listTables(clients.dynamodb);
    const others = restoredSets(names, stack);
    if (others.length > 0) {
      note(`tables: those that ${stack} made itself; it is deployed onto others? --restored NAME:`);
      note(`tables: ${others.join(', ')}`);
    }
    return names;
  });
  const tables: Installation['tables'] = async (wanted) =>
    restored === undefined
      ? findTables(await listed(), stack, wanted)
      : restoredTables(restored, wanted);
  const url = () => {
    const found = given.text('api') ?? env.TALLYHOOK_API ?? (isAws ? undefined : LOCAL.api);
    if (found === undefined) throw new Refusal('say where the API is: --api, the output ApiUrl');
    return found.replace(/\/+$/, '');
  };
  return {
    isAws,
    stack,
    restored,
    ...clients,
    tables,
    db: async (...wanted) => openDb({ client: clients.dynamodb, tables: await tables(wanted) }),
    admin: async () => {
      const where = url();
      const kept = env.TALLYHOOK_ADMIN_KEY;
      if (kept) return apiCaller(where, kept);
      const id = await findSecret(clients.secrets, stack, 'admin-key');
      return apiCaller(where, await readSecret(clients.secrets, id));
    },
    visitor: () => apiCaller(url()),
  };
}

function openClients(given: Given, env: NodeJS.ProcessEnv) {
  if (given.has('aws')) {
    return {
      dynamodb: new DynamoDBClient(PATIENCE),
      secrets: new SecretsManagerClient(PATIENCE),
    };
  }
  const local = {
    ...PATIENCE,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  };
  const dynamodb = given.text('dynamodb') ?? env.AWS_ENDPOINT_URL_DYNAMODB ?? LOCAL.dynamodb;
  const secrets = given.text('secrets') ?? env.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? LOCAL.secrets;
  return {
    dynamodb: new DynamoDBClient({ ...local, endpoint: dynamodb }),
    secrets: new SecretsManagerClient({ ...local, endpoint: secrets }),
  };
}
