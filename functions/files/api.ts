import { openBucket } from '../shared/aws/bucket.ts';
import { openDb } from '../shared/aws/db.ts';
import { openDownloads } from '../shared/aws/downloads.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openSecrets } from '../shared/aws/secrets.ts';
import { openUploads } from '../shared/aws/uploads.ts';
import { api } from '../shared/http/api.ts';
import { openInstance } from '../shared/instance.ts';
import { bucketName, queues, secrets, tables } from '../shared/resources.ts';
import { authenticator } from '../tenants/authenticate.ts';
import { cancel, pause, release, resume, retry } from './change-state.ts';
import { createFile } from './create-file.ts';
import { getFile } from './get-file.ts';
import { listErrors } from './list-errors.ts';
import { listFiles } from './list-files.ts';
import { listResults } from './list-results.ts';
import { exportFile } from './save-export.ts';

const world = {
  ...openInstance('files/api'),
  bucket: openBucket(bucketName()),
  downloads: openDownloads(bucketName()),
  uploads: openUploads(bucketName()),
  queues: openQueues(queues('file-care', 'file-events')),
  db: openDb({ tables: tables('control', 'outbox', 'endpoints', 'deliveries', 'files', 'meters') }),
  secrets: openSecrets(secrets('admin-key', 'cursor-key')),
};

const actions = [pause, resume, release, cancel, retry];
const routes = [createFile, listFiles, getFile, listErrors, listResults, exportFile, ...actions];

export const handler = metered(world, api(world, routes, authenticator()));
