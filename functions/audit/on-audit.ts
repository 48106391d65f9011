import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { metered } from '../shared/aws/metered.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { openInstance } from '../shared/instance.ts';
import { queues, tables } from '../shared/resources.ts';
import { AuditMessage } from './audit-message.ts';
import { takeAuditStep } from './take-step.ts';

const world = {
  ...openInstance('audit/on-audit'),
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'outbox', 'meters') }),
  queues: openQueues(queues('audits')),
};

export const handler = metered(world, batch(world, AuditMessage, takeAuditStep));
