import { batch } from '../shared/aws/batch.ts';
import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { queues, tables } from '../shared/resources.ts';
import { embeddedMetrics, jsonLog, systemClock } from '../shared/system.ts';
import { AuditMessage } from './audit-message.ts';
import { takeAuditStep } from './take-step.ts';

const world = {
  ...{ clock: systemClock, log: jsonLog, metrics: embeddedMetrics },
  db: openDb({ tables: tables('control', 'ledger', 'statements', 'outbox') }),
  queues: openQueues(queues('audits')),
};

export const handler = batch(world, AuditMessage, takeAuditStep);
