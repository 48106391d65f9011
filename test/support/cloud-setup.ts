import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { TableName } from '../../functions/shared/world.ts';
import { startLocalCloud } from '../../local/local-cloud.ts';
import { SNAPSHOT_TABLES } from './invariants/snapshot.ts';
import { newStateDir } from './state-dir.ts';

/** The local cloud that the journeys share; each brings its own tenants. */
export interface SharedCloud {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly dynamodbUrl: string;
  readonly tables: Readonly<Record<TableName, string>>;
  /** The URL of the queue for dead letters of audits. */
  readonly deadLettersUrl: string;
  /** The URL of the queue of what is due for endpoints. */
  readonly endpointCareUrl: string;
  /** Where files are dropped: into the bucket, or into a folder that is watched for it. */
  readonly drops: { readonly s3Url: string; readonly bucket: string; readonly folder: string };
  /** What its functions print; absent where that goes elsewhere. */
  readonly logFile?: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    cloud: SharedCloud;
  }
}

/** Starts it with a state of its own, and leaves nothing behind. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stateDir = await newStateDir('journeys');
  const cloud = await startLocalCloud({ port: 0, stateDir, quiet: true });
  project.provide('cloud', {
    apiUrl: cloud.apiUrl,
    adminKey: cloud.adminKey,
    dynamodbUrl: cloud.endpoints.dynamodb,
    tables: Object.fromEntries(
      SNAPSHOT_TABLES.map((it) => [it, cloud.table(it)]),
    ) as SharedCloud['tables'],
    deadLettersUrl: cloud.variable('PARKED_AUDITS'),
    endpointCareUrl: cloud.queue('endpoint-care'),
    drops: { s3Url: cloud.endpoints.s3, bucket: cloud.bucket, folder: join(stateDir, 'drop') },
    logFile: cloud.logFile,
  });
  return async () => {
    await cloud.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
}
