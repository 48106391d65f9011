import { Stack, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Bucket, CfnBucket } from 'aws-cdk-lib/aws-s3';
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import type { Options } from '../../functions/shared/config.ts';
import { ACCESS, type Access, type Entry } from '../access.ts';
import {
  type ParkedName,
  type QueueName,
  type SecretName,
  STREAM_READERS,
  type TableName,
} from '../names.ts';
import type { NodeFunction } from './node-function.ts';
import type { AnyTable } from './room-table.ts';

/** Everything that the rooms made, by name. */
export interface House {
  readonly functions: Readonly<Record<Entry, NodeFunction>>;
  readonly tables: Readonly<Record<TableName, AnyTable>>;
  readonly queues: Readonly<Record<QueueName, Queue>>;
  /** Where each reader of a stream parks what it cannot handle. */
  readonly parked: Readonly<Partial<Record<Entry, Queue>>>;
  readonly secrets: Readonly<Record<SecretName, Secret>>;
  readonly bucket: Bucket;
  readonly options: Options;
  /** `https://` and the host that API Gateway gave to the API. */
  readonly apiEndpoint: string;
}

/** Gives each function the rights of its row in lib/access.ts, and tells it those names. */
export function grantAccess(house: House): void {
  for (const [entry, handler] of Object.entries(house.functions)) {
    const access: Access = ACCESS[entry as Entry];
    grantTables(handler, access, house);
    grantQueues(handler, access, house);
    grantStream(handler, entry as Entry, house);
    grantParked(handler, access, house);
    grantMetrics(handler, access);
    grantBucket(handler, access, house);
    grantSecrets(handler, access, house);
    for (const option of access.options ?? []) {
      handler.addEnvironment(optionVariable(option), optionValue(option, house));
    }
  }
}

/** The hosts of the API are those that its operator names, and the one that it has by itself. */
function optionValue(option: keyof Options, { options, apiEndpoint }: House): string {
  if (option !== 'apiHosts') return String(options[option]);
  return options.apiHosts === '' ? apiEndpoint : `${options.apiHosts},${apiEndpoint}`;
}

function grantTables(handler: NodeFunction, { tables = {} }: Access, house: House): void {
  for (const [name, actions = []] of Object.entries(tables)) {
    const table = house.tables[name as TableName];
    for (const action of actions) {
      const [verb = '', part] = action.split(' ');
      const right = { service: 'dynamodb', actions: [verb], resource: table.tableArn };
      if (part === undefined) allow(handler, right);
      else if (part.endsWith('*')) allow(handler, { ...right, leadingKeys: part });
      else allow(handler, { ...right, resource: `${table.tableArn}/index/${part}` });
    }
    handler.addEnvironment(variable('TABLE', name), table.tableName);
  }
}

function grantQueues(handler: NodeFunction, access: Access, house: House): void {
  for (const name of access.consumes ?? []) {
    const actions = ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'];
    allow(handler, { service: 'sqs', actions, resource: house.queues[name].queueArn });
  }
  for (const name of access.sendsTo ?? []) {
    const { queueArn, queueUrl } = house.queues[name];
    allow(handler, { service: 'sqs', actions: ['SendMessage'], resource: queueArn });
    handler.addEnvironment(variable('QUEUE', name), queueUrl);
  }
}

function grantStream(handler: NodeFunction, entry: Entry, house: House): void {
  const { streamOf }: Access = ACCESS[entry];
  if (!streamOf) return;
  const { tableStreamArn } = house.tables[streamOf];
  const parked = house.parked[entry];
  if (!tableStreamArn || !parked) throw new Error(`${entry} has no stream, or no queue for it`);
  const actions = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'];
  allow(handler, { service: 'dynamodb', actions, resource: tableStreamArn });
  allow(handler, { service: 'sqs', actions: ['SendMessage'], resource: parked.queueArn });
}

/** To move a message back is to receive it, to send it to where it came from, and to delete it. */
function grantParked(handler: NodeFunction, access: Access, house: House): void {
  const { cares = [], parks = [] } = access;
  for (const name of parks) {
    const { queueArn, queueUrl } = parkedQueueOf(name, house);
    allow(handler, { service: 'sqs', actions: ['SendMessage'], resource: queueArn });
    handler.addEnvironment(variable('PARKED', name), queueUrl);
  }
  const moves = ['StartMessageMoveTask', 'ListMessageMoveTasks'];
  for (const name of cares) {
    const work = name in house.queues ? house.queues[name as QueueName] : undefined;
    const { queueArn, queueUrl } = parkedQueueOf(name, house);
    const looks = ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility'];
    const actions = [...looks, 'GetQueueAttributes', ...(work ? moves : [])];
    allow(handler, { service: 'sqs', actions, resource: queueArn });
    if (work) {
      const onQueue = ['SendMessage', 'GetQueueAttributes'];
      allow(handler, { service: 'sqs', actions: onQueue, resource: work.queueArn });
      handler.addEnvironment(variable('QUEUE', name), work.queueUrl);
    }
    handler.addEnvironment(variable('PARKED', name), queueUrl);
  }
}

function parkedQueueOf(name: ParkedName, { queues, parked }: House): IQueue {
  const found =
    name in STREAM_READERS
      ? parked[STREAM_READERS[name as keyof typeof STREAM_READERS]]
      : queues[name as QueueName].deadLetterQueue?.queue;
  if (!found) throw new Error(`${name} parks nothing`);
  return found;
}

function grantMetrics(handler: NodeFunction, { readsMetrics }: Access): void {
  if (!readsMetrics || !handler.role) return;
  allow(handler, { service: 'cloudwatch', actions: ['GetMetricData'], resource: '*' });
  Validations.of(handler.role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason: 'GetMetricData cannot be limited to a resource: it is a right to all metrics or none.',
  });
}

function grantBucket(handler: NodeFunction, { bucket }: Access, house: House): void {
  if (!bucket) return;
  for (const [prefix, actions] of Object.entries(bucket)) {
    const { bucketArn } = house.bucket;
    const resource = prefix === '' ? bucketArn : `${bucketArn}/${prefix}*`;
    allow(handler, { service: 's3', actions, resource });
    acknowledgePrefix(handler, house.bucket, prefix);
  }
  handler.addEnvironment('BUCKET_FILES', house.bucket.bucketName);
}

/** Objects are made at run time, so a right to them can name no more than their prefix. */
function acknowledgePrefix({ role }: NodeFunction, bucket: Bucket, prefix: string): void {
  if (!role || prefix === '') return;
  const logicalId = Stack.of(bucket).getLogicalId(bucket.node.defaultChild as CfnBucket);
  Validations.of(role).acknowledge({
    id: `AwsSolutions-IAM5[Resource::<${logicalId}.Arn>/${prefix}*]`,
    reason: `The objects under ${prefix} are made at run time.`,
  });
}

function grantSecrets(handler: NodeFunction, { secrets = [] }: Access, house: House): void {
  for (const name of secrets) {
    const { secretArn } = house.secrets[name];
    const actions = ['GetSecretValue'];
    allow(handler, { service: 'secretsmanager', actions, resource: secretArn });
    handler.addEnvironment(variable('SECRET', name), secretArn);
  }
}

/** `RECONCILE_AFTER_SECONDS` for the option `reconcileAfterSeconds`. */
export function optionVariable(option: keyof Options): string {
  return option.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** `TABLE_LEDGER`, `QUEUE_DELIVERY_FAST`, `SECRET_ADMIN_KEY`. */
export function variable(kind: string, name: string): string {
  return `${kind}_${name.toUpperCase().replaceAll('-', '_')}`;
}

interface Right {
  readonly service: string;
  readonly actions: readonly string[];
  readonly resource: string;
  /** Only items with such a partition key. */
  readonly leadingKeys?: string;
}

function allow(handler: NodeFunction, right: Right): void {
  const { service, actions, resource, leadingKeys } = right;
  handler.addToRolePolicy(
    new PolicyStatement({
      actions: actions.map((action) => `${service}:${action}`),
      resources: [resource],
      ...(leadingKeys !== undefined && {
        conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [leadingKeys] } },
      }),
    }),
  );
}
