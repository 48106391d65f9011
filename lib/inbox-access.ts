import type { Access } from './access.ts';

/** What every API needs of its caller, as in lib/access.ts. */
const CALLER = ['GetItem', 'UpdateItem R#*'] as const;

/** What an instance has counted goes there, as in lib/access.ts. */
const COUNTS = ['UpdateItem'] as const;

/** The rows of lib/access.ts for the inbox. */
export const INBOX_ACCESS = {
  // Public as far as /v1/in goes: it stores, and reads nothing but sources and their counts.
  'inbox/api': {
    tables: {
      control: CALLER,
      inbox: ['GetItem', 'PutItem', 'UpdateItem'],
      meters: COUNTS,
    },
    sendsTo: ['inbox'],
    secrets: ['admin-key', 'master-key'],
    options: ['inboxMaxBacklog'],
  },
  'inbox/source-api': {
    tables: {
      control: CALLER,
      inbox: ['GetItem', 'BatchGetItem', 'PutItem', 'UpdateItem', 'Query listing'],
      outbox: ['GetItem'],
      endpoints: ['Query'],
      deliveries: ['BatchGetItem'],
      meters: COUNTS,
    },
    sendsTo: ['inbox'],
    secrets: ['admin-key', 'cursor-key', 'master-key'],
  },
  'inbox/on-receipt': {
    tables: {
      inbox: ['BatchGetItem', 'UpdateItem'],
      outbox: ['PutItem'],
      meters: COUNTS,
    },
    consumes: ['inbox'],
    sendsTo: ['inbox'],
    options: ['inboxMaxAttempts', 'inboxRetryBaseSeconds', 'inboxRetryMaxSeconds'],
  },
} as const satisfies Readonly<Record<string, Access>>;
