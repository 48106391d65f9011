import { openDb } from '../shared/aws/db.ts';
import { openQueues } from '../shared/aws/queues.ts';
import { schedule } from '../shared/aws/schedule.ts';
import { parked, queues, tables } from '../shared/resources.ts';
import { jsonLog, embeddedMetrics as metrics, systemClock } from '../shared/system.ts';
import { sweepTables } from './sweep-tables.ts';

const world = {
  clock: systemClock,
  log: jsonLog,
  metrics,
  db: openDb({ tables: tables('control', 'deliveries', 'endpoints', 'files', 'ledger', 'tasks') }),
  queues: openQueues(
    queues('delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'),
  ),
  deadLetterQueues: openQueues(
    parked('delivery-slow', 'endpoint-care', 'file-care', 'hold-expiry', 'audits', 'tasks'),
  ),
};

export const handler = schedule(world, sweepTables);
