import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ACCESS, type Access, type Entry } from '../../lib/access.ts';
import { STREAM_READERS } from '../../lib/names.ts';
import { at, ofType, type Resource, resourcesWith, statementsOf } from '../support/stack.ts';

const RESOURCES = resourcesWith({ egress: 'public' });
const ENTRIES = Object.keys(ACCESS) as Entry[];

/** What each logical id is called in the access table. */
const NAMES: readonly [RegExp, string][] = [
  [/^TenantsControl/, 'control'],
  [/^EventsOutbox/, 'outbox'],
  [/^WebhooksEndpoints/, 'endpoints'],
  [/^WebhooksDeliveries/, 'deliveries'],
  [/^Ledger[0-9A-F]{8}$/, 'ledger'],
  [/^LedgerStatements/, 'statements'],
  [/^Files[0-9A-F]{8}$/, 'files'],
  [/^Webhooksdeliveryfast/, 'delivery-fast'],
  [/^Webhooksdeliveryslow/, 'delivery-slow'],
  [/^Webhooksendpointcare/, 'endpoint-care'],
  [/^Ledgerholdexpiry/, 'hold-expiry'],
  [/^Filesfileevents/, 'file-events'],
  [/^Filesfileblocks/, 'file-blocks'],
  [/^Filesfilecare/, 'file-care'],
  [/^WebhooksStreamUnrelayed/, 'parked unrelayed'],
  [/^LedgerStreamUnprojected/, 'parked unprojected'],
  [/^Auditaudits/, 'audits'],
  [/^Tasks[0-9A-F]{8}$/, 'tasks'],
  [/^Taskstasks/, 'tasks'],
  [/^Timerssweeps/, 'sweeps'],
  [/^Inbox[0-9A-F]{8}$/, 'inbox'],
  [/^Inboxinbox/, 'inbox'],
  [/^OperationsMeters/, 'meters'],
  [/^FilesBucket/, 'bucket'],
  [/^TenantsAdminKey/, 'admin-key'],
  [/^TenantsCursorKey/, 'cursor-key'],
  [/^WebhooksMasterKey/, 'master-key'],
];

function nameOf(logicalId: string): string {
  const [, name] = NAMES.find(([pattern]) => pattern.test(logicalId)) ?? [];
  if (!name) throw new Error(`${logicalId} has no name in the access table`);
  return /Parked[0-9A-F]{8}$/.test(logicalId) ? `parked ${name}` : name;
}

/** `dynamodb:Query ledger/index/due`, from whichever intrinsics. */
function inWords(resource: unknown): string {
  const [, ...parts] = (at(resource, 'Fn::Join') ?? ['', [resource]]) as [string, unknown[]];
  return parts
    .flat()
    .map((part) => {
      if (typeof part === 'string') return part;
      const [id, attribute] = (at(part, 'Fn::GetAtt') ?? [at(part, 'Ref'), 'Arn']) as string[];
      return `${nameOf(String(id))}${attribute === 'StreamArn' ? '/stream' : ''}`;
    })
    .join('');
}

/** To which items a condition on partition keys limits a right. */
function onlyItems(condition: unknown): string {
  if (condition === undefined) return '';
  const names = Object.keys(Object(at(condition, 'ForAllValues:StringLike')));
  const keys = Object.values(Object(at(condition, 'ForAllValues:StringLike'))).flat();
  expect(names).toEqual(['dynamodb:LeadingKeys']);
  return ` only ${keys.join(' ')}`;
}

/** The rights of a function in the template, without those to its own log. */
function rightsInTemplate(entry: Entry): string[] {
  const [, { Properties }] = functionOf(entry);
  const role = at(Properties, 'Role.Fn::GetAtt.0');
  const policies = ofType(RESOURCES, 'IAM::Policy').filter(
    ([, it]) => at(it.Properties, 'Roles.0.Ref') === role,
  );
  const statements = policies.flatMap(([, policy]) => statementsOf(policy));
  const rights = statements.flatMap(({ Action, Resource, Condition }) =>
    [Action]
      .flat()
      .flatMap((action) =>
        action.startsWith('logs:')
          ? []
          : [Resource].flat().map((it) => `${action} ${inWords(it)}${onlyItems(Condition)}`),
      ),
  );
  return rights.sort();
}

/** What the reader of the stream cannot handle is parked under this name. */
function parkOf(entry: Entry): string | undefined {
  return Object.entries(STREAM_READERS).find(([, reader]) => reader === entry)?.[0];
}

/** The rights that a row of the access table stands for. */
function rightsInTable(entry: Entry): string[] {
  const access: Access = ACCESS[entry];
  const onTables = Object.entries(access.tables ?? {}).flatMap(([table, actions = []]) =>
    actions.map((action) => {
      const [verb, part] = action.split(' ');
      if (part?.endsWith('*')) return `dynamodb:${verb} ${table} only ${part}`;
      return `dynamodb:${verb} ${table}${part ? `/index/${part}` : ''}`;
    }),
  );
  const consumed = (access.consumes ?? []).flatMap((queue) =>
    ['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage'].map((it) => `sqs:${it} ${queue}`),
  );
  const sent = (access.sendsTo ?? []).map((queue) => `sqs:SendMessage ${queue}`);
  const streamed = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'];
  const stream = access.streamOf
    ? [
        ...streamed.map((it) => `dynamodb:${it} ${access.streamOf}/stream`),
        `sqs:SendMessage parked ${parkOf(entry)}`,
      ]
    : [];
  const cared = (access.cares ?? []).flatMap((name) => {
    const looks = ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'];
    const moves = ['StartMessageMoveTask', 'ListMessageMoveTasks'];
    const onParked = [...looks, 'GetQueueAttributes', ...(name in STREAM_READERS ? [] : moves)];
    const back =
      name in STREAM_READERS
        ? []
        : ['GetQueueAttributes', 'SendMessage'].map((it) => `sqs:${it} ${name}`);
    return [...onParked.map((it) => `sqs:${it} parked ${name}`), ...back];
  });
  const metrics = access.readsMetrics ? ['cloudwatch:GetMetricData *'] : [];
  const parks = (access.parks ?? []).map((it) => `sqs:SendMessage parked ${it}`);
  const objects = Object.entries(access.bucket ?? {}).flatMap(([prefix, actions]) =>
    actions.map((it) => `s3:${it} bucket${prefix && `/${prefix}*`}`),
  );
  const secrets = (access.secrets ?? []).map((it) => `secretsmanager:GetSecretValue ${it}`);
  return [
    ...onTables,
    ...consumed,
    ...sent,
    ...cared,
    ...parks,
    ...metrics,
    ...stream,
    ...objects,
    ...secrets,
  ].sort();
}

/** The queues that it is told of: those that it sends to, or whose dead letters it moves back. */
function queuesInTable({ sendsTo = [], cares = [] }: Access): string[] {
  return [...sendsTo, ...cares.filter((it) => !(it in STREAM_READERS))];
}

/** The queues of dead letters that it is told of. */
function parkedInTable({ cares = [], parks = [] }: Access): string[] {
  return [...cares, ...parks];
}

/** The variables that a row of the access table stands for. */
function variablesInTable(access: Access): string[] {
  const named = (kind: string, names: readonly string[] = []) =>
    names.map((name) => `${kind}_${name.toUpperCase().replaceAll('-', '_')}`);
  return [
    'BUILD',
    'LOG_LEVEL',
    'STAGE',
    ...named('TABLE', Object.keys(access.tables ?? {})),
    ...named('QUEUE', queuesInTable(access)),
    ...named('PARKED', parkedInTable(access)),
    ...named('SECRET', access.secrets),
    ...(access.bucket ? ['BUCKET_FILES'] : []),
    ...(access.options ?? []).map((it) => it.replaceAll(/[A-Z]/g, '_$&').toUpperCase()),
  ].sort();
}

function ofApi(): string | undefined {
  return ofType(RESOURCES, 'ApiGatewayV2::Api')[0]?.[0];
}

function functionOf(entry: Entry): [string, Resource] {
  const found = ofType(RESOURCES, 'Lambda::Function').find(
    ([, { Properties }]) => Properties.Description === `Tallyhook ${entry}`,
  );
  if (!found) throw new Error(`${entry} is not in the template`);
  return found;
}

/** The names in `tables('control', 'ledger')` of an entry. */
function namesIn(source: string, call: 'tables' | 'queues' | 'parked' | 'secrets'): string[] {
  const calls = source.matchAll(new RegExp(`\\b${call}\\(([^)]*)\\)`, 'g'));
  return [...calls]
    .flatMap(([, names = '']) => [...names.matchAll(/'([\w-]+)'/g)])
    .map(([, name = '']) => name);
}

describe('the access table', () => {
  it('has a row for each entry under functions/, and for nothing else', () => {
    const files = globSync(
      'functions/*/{api,{admin,change,delivery,read,replay,source,test}-api,on-*}.ts',
    );
    expect(files.map((file) => file.slice('functions/'.length, -'.ts'.length)).sort()).toEqual(
      [...ENTRIES].sort(),
    );
    expect(ofType(RESOURCES, 'Lambda::Function')).toHaveLength(ENTRIES.length);
  });

  it.each(ENTRIES)('is what the template grants %s', (entry) => {
    expect(rightsInTemplate(entry)).toEqual(rightsInTable(entry));
  });

  it.each(ENTRIES)('is what the environment of %s names', (entry) => {
    const variables = at(functionOf(entry), '1.Properties.Environment.Variables');
    expect(Object.keys(Object(variables)).sort()).toEqual(variablesInTable(ACCESS[entry]));
  });

  it('tells whoever talks to receivers which hosts are those of the API', () => {
    const senders = ENTRIES.filter((entry) => {
      const access: Access = ACCESS[entry];
      return access.options?.includes('egress');
    });
    const told = ofType(resourcesWith({ apiHosts: 'api.example.com' }), 'Lambda::Function')
      .map(([, it]) => at(it, 'Properties.Environment.Variables.API_HOSTS'))
      .filter((it) => it !== undefined);
    expect(told).toHaveLength(senders.length);
    for (const hosts of told) {
      const [, parts] = at(hosts, 'Fn::Join') as [string, unknown[]];
      expect(parts).toEqual(['api.example.com,', { 'Fn::GetAtt': [ofApi(), 'ApiEndpoint'] }]);
    }
  });

  it.each(ENTRIES)('is what the code of %s opens', (entry) => {
    const source = readFileSync(`functions/${entry}.ts`, 'utf8');
    const access: Access = ACCESS[entry];

    expect(namesIn(source, 'tables').sort()).toEqual(Object.keys(access.tables ?? {}).sort());
    expect(namesIn(source, 'queues').sort()).toEqual(queuesInTable(access).sort());
    expect(namesIn(source, 'parked').sort()).toEqual(parkedInTable(access).sort());
    expect(namesIn(source, 'secrets').sort()).toEqual([...(access.secrets ?? [])].sort());
  });

  it.each(ENTRIES)('is counted under the own name of %s', (entry) => {
    expect(readFileSync(`functions/${entry}.ts`, 'utf8')).toContain(`openInstance('${entry}')`);
  });

  it('lets nobody but the relay, the reconciler and replays change events', () => {
    const changers = ENTRIES.filter((entry) => {
      const access: Access = ACCESS[entry];
      return access.tables?.outbox?.some((it) => /^(Update|Delete)Item$/.test(it));
    });
    expect(changers).toEqual(['webhooks/on-outbox', 'webhooks/on-reconcile', 'webhooks/on-care']);
  });

  // Whoever writes such an item has made a key for any tenant.
  it('lets nobody but tenants/api write where keys are found', () => {
    const writers = ENTRIES.filter((entry) =>
      rightsInTemplate(entry).some((right) => {
        const [, only] = /^dynamodb:(?:Put|Update|Delete)Item control(.*)$/.exec(right) ?? [];
        return only === '' || only?.startsWith(' only K') || only?.startsWith(' only *');
      }),
    );
    expect(writers).toEqual(['tenants/api']);
  });

  it('lets nobody but the route of metrics read what has no narrower right', () => {
    const readers = ENTRIES.filter((entry) =>
      rightsInTemplate(entry).some((right) => right.endsWith(' *')),
    );
    expect(readers).toEqual(['operations/admin-api']);
  });

  it('lets nobody but the ledger and a task that fires write money', () => {
    const writers = ENTRIES.filter((entry) => {
      const access: Access = ACCESS[entry];
      return access.tables?.ledger?.some((it) => /^(Put|Update|Delete)Item$/.test(it));
    });
    expect(writers).toEqual(['ledger/api', 'ledger/on-hold', 'tasks/on-due']);
  });
});
