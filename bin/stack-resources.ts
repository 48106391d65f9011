import { type DynamoDBClient, paginateListTables } from '@aws-sdk/client-dynamodb';
import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Db, Item, TableName } from '../functions/shared/world.ts';

/** The logical ids of tables, as CloudFormation puts them into their names. */
const LOGICAL_IDS = {
  control: 'TenantsControl',
  ledger: 'Ledger',
  statements: 'LedgerStatements',
  endpoints: 'WebhooksEndpoints',
} as const satisfies Partial<Record<TableName, string>>;

const MASTER_KEY = /^(?<stack>.+-)?WebhooksMasterKey[0-9A-F]{8}(-|$)/;

/** By the environment, else the one table of the stack whose name has the logical id in it. */
export async function findTables<Name extends keyof typeof LOGICAL_IDS>(
  client: DynamoDBClient,
  stack: string,
  wanted: readonly Name[],
): Promise<Record<Name, string>> {
  const names: string[] = [];
  for await (const page of paginateListTables({ client }, {}))
    names.push(...(page.TableNames ?? []));
  const nameOf = (table: Name) => {
    const given = process.env[`TABLE_${table.toUpperCase()}`];
    if (given) return given;
    const pattern = new RegExp(`^${stack}-${LOGICAL_IDS[table]}[0-9A-F]{8}(-|$)`);
    const found = names.filter((it) => pattern.test(it));
    if (found.length === 1 && found[0]) return found[0];
    throw new Error(
      `there are ${found.length} tables ${table} of ${stack}; set --stack or TABLE_…`,
    );
  };
  const entries = wanted.map((table) => [table, nameOf(table)]);
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** By the environment, else the one secret that is the stack's by its tag, or by its name. */
export async function findMasterKey(client: SecretsManagerClient, stack: string): Promise<string> {
  const { SECRET_MASTER_KEY: given } = process.env;
  if (given) return given;
  const found: string[] = [];
  for await (const { SecretList = [] } of paginateListSecrets({ client }, {})) {
    for (const { ARN, Name = '', Tags = [] } of SecretList) {
      const match = MASTER_KEY.exec(Name);
      const tag = Tags.find((it) => it.Key === 'aws:cloudformation:stack-name')?.Value;
      const owner = tag ?? match?.groups?.stack?.slice(0, -1);
      if (ARN && match && owner === stack) found.push(ARN);
    }
  }
  const [one] = found;
  if (one && found.length === 1) return one;
  throw new Error(`${stack} has ${found.length} master keys; set --stack or SECRET_MASTER_KEY`);
}

/** The ids of all tenants. */
export async function* listTenants(db: Pick<Db, 'query'>): AsyncGenerator<string> {
  let after: Item | undefined;
  do {
    const query = { table: 'control', index: 'listing', pk: 'T' } as const;
    const page = await db.query({ ...query, ...(after && { after }) });
    for (const item of page.items) yield String(item.pk);
    after = page.next;
  } while (after);
}
