import type { Access } from './access.ts';

/** What every API needs of its caller, as in lib/access.ts. */
const CALLER = ['GetItem', 'UpdateItem R#*'] as const;

/** Also of an object that has been overwritten since. */
const VERSIONS = ['GetObject', 'GetObjectVersion'] as const;

/** What an instance has counted goes there, as in lib/access.ts. */
const COUNTS = ['UpdateItem'] as const;

/** The rows of lib/access.ts for files. */
export const FILES_ACCESS = {
  'files/api': {
    tables: {
      control: CALLER,
      outbox: ['PutItem'],
      endpoints: ['GetItem'],
      deliveries: ['BatchGetItem'],
      files: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query', 'Query listing'],
      meters: COUNTS,
    },
    sendsTo: ['file-events', 'file-care'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': ['PutObject'],
      'work/': ['GetObject'],
      'results/': ['GetObject', 'PutObject'],
    },
    secrets: ['admin-key', 'cursor-key'],
  },
  'files/on-upload': {
    tables: {
      control: ['GetItem'],
      outbox: ['PutItem'],
      endpoints: ['GetItem'],
      files: ['GetItem', 'PutItem', 'UpdateItem'],
      meters: COUNTS,
    },
    consumes: ['file-events'],
    sendsTo: ['file-blocks'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': VERSIONS,
      'drop/': VERSIONS,
      'work/': ['PutObject'],
    },
  },
  'files/on-block': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem'],
      deliveries: ['BatchGetItem', 'UpdateItem'],
      files: ['GetItem', 'UpdateItem'],
      meters: COUNTS,
    },
    consumes: ['file-blocks'],
    sendsTo: ['file-blocks', 'file-care', 'delivery-slow', 'endpoint-care'],
    bucket: { '': ['ListBucket'], 'work/': ['GetObject'], 'results/': ['PutObject'] },
    secrets: ['master-key'],
    options: ['egress', 'apiHosts'],
  },
  'files/on-care': {
    tables: {
      outbox: ['PutItem'],
      endpoints: ['GetItem', 'UpdateItem'],
      deliveries: ['GetItem', 'BatchGetItem', 'UpdateItem'],
      files: ['GetItem', 'UpdateItem', 'Query'],
      meters: COUNTS,
    },
    consumes: ['file-care'],
    sendsTo: ['file-blocks', 'file-events', 'file-care', 'delivery-slow'],
    bucket: {
      '': ['ListBucket'],
      'incoming/': ['GetObject'],
      'work/': ['GetObject'],
      'results/': ['PutObject'],
    },
  },
  'files/on-hour': {
    tables: { files: ['GetItem', 'BatchGetItem', 'PutItem'], meters: COUNTS },
    sendsTo: ['file-events'],
    bucket: { '': ['ListBucketVersions'] },
  },
} as const satisfies Readonly<Record<string, Access>>;
