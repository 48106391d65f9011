import * as z from 'zod';
import { readConfig } from './environment.ts';
import type { ParkedName, QueueName, Secrets, TableName } from './world.ts';

type SecretName = Parameters<Secrets['read']>[0];

/** The physical names of these tables, as the function was deployed with them. */
export function tables<Name extends TableName>(...names: readonly Name[]): Record<Name, string> {
  return variables('TABLE', names);
}

/** The URLs of these queues. */
export function queues<Name extends QueueName>(...names: readonly Name[]): Record<Name, string> {
  return variables('QUEUE', names);
}

/** The URLs of these dead-letter queues. */
export function parked<Name extends ParkedName>(...names: readonly Name[]): Record<Name, string> {
  return variables('PARKED', names);
}

/** The ids of these secrets, not their values. */
export function secrets<Name extends SecretName>(...names: readonly Name[]): Record<Name, string> {
  return variables('SECRET', names);
}

/** `delivery-fast` of the queues is the variable QUEUE_DELIVERY_FAST. */
function variables<Name extends string>(
  kind: string,
  names: readonly Name[],
): Record<Name, string> {
  const variableOf = (name: string) => `${kind}_${name.toUpperCase().replaceAll('-', '_')}`;
  const shape = Object.fromEntries(names.map((name) => [variableOf(name), z.string().min(1)]));
  const config = readConfig(shape);
  const entries = names.map((name) => [name, config[variableOf(name)]]);
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** The physical name of the bucket of files. */
export function bucketName(): string {
  return readConfig({ BUCKET_FILES: z.string().min(1) }).BUCKET_FILES;
}

/**
 * Where receivers may be: `loopback` allows those on this machine, on a local cloud only, and
 * nobody may be at the hosts of this API, nor at those of the services that it works with there.
 */
export function receivers(): { egress: 'public' | 'loopback'; ownHosts: readonly string[] } {
  const service = z.string().optional();
  const {
    EGRESS: egress,
    API_HOSTS: hosts,
    ...services
  } = readConfig({
    EGRESS: z.enum(['public', 'loopback']).default('public'),
    API_HOSTS: z.string().min(1),
    AWS_ENDPOINT_URL_DYNAMODB: service,
    AWS_ENDPOINT_URL_SQS: service,
    AWS_ENDPOINT_URL_CLOUDWATCH: service,
    AWS_ENDPOINT_URL_S3: service,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: service,
  });
  const own = [...hosts.split(','), ...Object.values(services)].flatMap((it) => it ?? []);
  return { egress, ownHosts: own.map((it) => it.replace(/^https?:\/\//, '').replace(/\/$/, '')) };
}

/** How many webhooks with an API key may be open at a time, per tenant. */
export function inboxBacklogMax(): number {
  return readConfig({ INBOX_MAX_BACKLOG: z.coerce.number().positive() }).INBOX_MAX_BACKLOG;
}

/** How often a webhook that was taken in is tried, and how soon again. */
export function inboxRetryPlan() {
  const number = z.coerce.number().positive();
  const config = readConfig({
    INBOX_MAX_ATTEMPTS: number,
    INBOX_RETRY_BASE_SECONDS: number,
    INBOX_RETRY_MAX_SECONDS: number,
  });
  return {
    maxAttempts: config.INBOX_MAX_ATTEMPTS,
    baseSeconds: config.INBOX_RETRY_BASE_SECONDS,
    maxSeconds: config.INBOX_RETRY_MAX_SECONDS,
  };
}

/** How old an event must be before the reconciler cares for it, and then for its deliveries. */
export function patience() {
  const seconds = z.coerce.number().positive();
  const names = { RECONCILE_AFTER_SECONDS: seconds, RECHECK_AFTER_SECONDS: seconds };
  const config = readConfig(names);
  return {
    reconcileAfterSeconds: config.RECONCILE_AFTER_SECONDS,
    recheckAfterSeconds: config.RECHECK_AFTER_SECONDS,
  };
}
