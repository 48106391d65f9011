import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { auditRoutes } from '../functions/audit/contract.ts';
import { alarm, countedMetric } from './kit/alarm.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** The audit of a ledger: its routes, and the worker that takes one step after the other. */
export class Audit extends Construct {
  readonly functions;
  readonly queues;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    const routes = apiFunction(this, 'audit/api', settings);
    api.mount(routes, auditRoutes);
    const onAudit = new NodeFunction(this, 'OnAudit', {
      entry: 'audit/on-audit',
      settings,
      timeout: Duration.seconds(60),
      memoryMb: 1_024,
      impact: 'Audits come to no end.',
    });
    this.functions = { 'audit/api': routes, 'audit/on-audit': onAudit };
    this.queues = {
      audits: new WorkQueue(this, 'audits', {
        name: 'audits',
        settings,
        worker: onAudit,
        // The whole timeout is for one step.
        batchSize: 1,
        impact: 'Some audits come to no end.',
      }).queue,
    };
    alarm(this, 'Failed', {
      grade: 'look-tomorrow',
      metric: countedMetric(settings, 'AuditsFailed'),
      impact: 'A ledger was not examined to the end.',
      runbook: 'an-audit-has-failed',
    });
    alarm(this, 'Violations', {
      grade: 'wake-up',
      metric: countedMetric(settings, 'AuditViolations'),
      impact: 'A ledger is not what its entries say: balances or events may be wrong.',
      runbook: 'an-audit-has-found-violations',
    });
  }
}
