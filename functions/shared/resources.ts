import * as z from 'zod';
import { readConfig } from './config.ts';
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
 * nobody may be at the hosts of this API.
 */
export function receivers(): { egress: 'public' | 'loopback'; ownHosts: readonly string[] } {
  const { EGRESS: egress, API_HOSTS: hosts } = readConfig({
    EGRESS: z.enum(['public', 'loopback']).default('public'),
    API_HOSTS: z.string().min(1),
  });
  return { egress, ownHosts: hosts.split(',').map((it) => it.replace(/^https?:\/\//, '')) };
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
