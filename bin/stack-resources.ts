import { type DynamoDBClient, paginateListTables } from '@aws-sdk/client-dynamodb';
import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Db, Item, TableName } from '../functions/shared/world.ts';

/** The logical ids of tables, as CloudFormation puts them into their names. */
const LOGICAL_IDS = {
  control: 'TenantsControl',
  outbox: 'EventsOutbox',
  endpoints: 'WebhooksEndpoints',
  deliveries: 'WebhooksDeliveries',
  ledger: 'Ledger',
  statements: 'LedgerStatements',
  files: 'Files',
  tasks: 'Tasks',
  inbox: 'Inbox',
} as const satisfies Partial<Record<TableName, string>>;

/** A table that a command may look for. */
export type StackTable = keyof typeof LOGICAL_IDS;

/** All of them. */
export const STACK_TABLES = Object.keys(LOGICAL_IDS) as StackTable[];

const SECRETS = {
  'admin-key': 'TenantsAdminKey',
  'cursor-key': 'TenantsCursorKey',
  'master-key': 'WebhooksMasterKey',
} as const;

/** A secret that a command may look for. */
export type StackSecret = keyof typeof SECRETS;

/** There is not one table of a stack: its name is another, or that of the account or region. */
export class NoSuchStack extends Error {}

/** Other tables of the stack are there. */
export class NoSuchTable extends Error {}

/** The names of all tables of this account and region. */
export async function listTables(client: DynamoDBClient): Promise<string[]> {
  const names: string[] = [];
  for await (const page of paginateListTables({ client }, {})) {
    names.push(...(page.TableNames ?? []));
  }
  return names;
}

/** The prefixes of tables among these that were restored for a stack. */
export function restoredSets(names: readonly string[], stack: string): string[] {
  const tables = STACK_TABLES.join('|');
  const pattern = new RegExp(`^(${stack}-r\\d{1,6})-(${tables})$`);
  const found = names.flatMap((it) => pattern.exec(it)?.[1] ?? []);
  return [...new Set(found)].toSorted();
}

/**
 * By the environment, else the one table of the stack among these names that has the logical id in
 * its own. Throws where there is none, or more than one.
 */
export function findTables<Name extends StackTable>(
  names: readonly string[],
  stack: string,
  wanted: readonly Name[],
): Record<Name, string> {
  const candidates = (table: StackTable) => {
    const given = process.env[`TABLE_${table.toUpperCase()}`];
    if (given) return [given];
    const pattern = new RegExp(`^${stack}-${LOGICAL_IDS[table]}[0-9A-F]{8}(-|$)`);
    return names.filter((it) => pattern.test(it));
  };
  const nameOf = (table: Name) => {
    const found = candidates(table);
    if (found.length === 1 && found[0]) return found[0];
    const variable = `TABLE_${table.toUpperCase()}`;
    if (found.length === 0) {
      const hasNone = STACK_TABLES.every((it) => candidates(it).length === 0);
      const Fault = hasNone ? NoSuchStack : NoSuchTable;
      throw new Fault(`${stack} has no table ${table}; set --stack, or ${variable}`);
    }
    const all = found.toSorted().join(', ');
    throw new Error(
      `${stack} has ${found.length} tables ${table} (${all}); say which by ${variable}`,
    );
  };
  const entries = wanted.map((table) => [table, nameOf(table)]);
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** Those that were restored for a stack: the deployment's option `restoreFrom` begins so. */
export function restoredTables<Name extends StackTable>(
  prefix: string,
  wanted: readonly Name[],
): Record<Name, string> {
  const entries = wanted.map((table) => [table, `${prefix}-${table}`]);
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** By the environment, else the one secret that is the stack's by its tag, or by its name. */
export async function findSecret(
  client: SecretsManagerClient,
  stack: string,
  secret: StackSecret,
): Promise<string> {
  const variable = `SECRET_${secret.toUpperCase().replaceAll('-', '_')}`;
  const given = process.env[variable];
  if (given) return given;
  const pattern = new RegExp(`^(?<stack>.+-)?${SECRETS[secret]}[0-9A-F]{8}(-|$)`);
  const found: string[] = [];
  for await (const { SecretList = [] } of paginateListSecrets({ client }, {})) {
    for (const { ARN, Name = '', Tags = [] } of SecretList) {
      const match = pattern.exec(Name);
      const tag = Tags.find((it) => it.Key === 'aws:cloudformation:stack-name')?.Value;
      const owner = tag ?? match?.groups?.stack?.slice(0, -1);
      if (ARN && match && owner === stack) found.push(ARN);
    }
  }
  const [one] = found;
  if (one && found.length === 1) return one;
  const name = secret.replace('-', ' ');
  throw new Error(`${stack} has ${found.length} ${name}s; set --stack or ${variable}`);
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
