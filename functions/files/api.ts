import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openDownloads } from '../shared/aws/downloads.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { bucketName, queues, secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { cancel, pause, release, resume, retry } from './change-state.ts';
import { createFile } from './create-file.ts';
import { getFile } from './get-file.ts';
import { listErrors } from './list-errors.ts';
import { listFiles } from './list-files.ts';
import { listResults } from './list-results.ts';
import { exportFile } from './save-export.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog, bucket: openBucket(bucketName()) },
  metrics: embeddedMetrics,
  downloads: openDownloads(bucketName()),
  queues: openQueues(queues('file-care', 'file-events')),
  db: openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries', 'files') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const actions = [pause, resume, release, cancel, retry];
const routes = [createFile, listFiles, getFile, listErrors, listResults, exportFile, ...actions];

export const handler = api(world, routes, authenticator());
