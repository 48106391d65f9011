import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { api } from '../shared/http/api.ts';
import { bucketName, secrets, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock, systemIds } from '../shared/system.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { createFile } from './create-file.ts';
import { getFile } from './get-file.ts';
import { listErrors } from './list-errors.ts';
import { listFiles } from './list-files.ts';

const world = {
  ...{ clock: systemClock, ids: systemIds, log: jsonLog, bucket: openBucket(bucketName()) },
  metrics: embeddedMetrics,
  db: openDb({ tables: tables('control', 'endpoints', 'files') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

export const handler = api(world, [createFile, listFiles, getFile, listErrors], authenticator());
