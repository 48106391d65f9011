import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { inboxRoutesOf } from '../functions/inbox/contract.ts';
import { alarm, countedMetric } from './kit/alarm.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { roomTable } from './kit/room-table.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** Webhooks of others: their sources, what takes them in, and the worker that sends them on. */
export class Inbox extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      inbox: roomTable(this, 'Inbox', {
        name: 'inbox',
        settings,
        indexes: { listing: [], due: [] },
        expires: true,
      }),
    };
    const receiving = apiFunction(this, 'inbox/api', settings);
    api.mount(receiving, inboxRoutesOf['inbox/api']);
    const managing = apiFunction(this, 'inbox/source-api', settings);
    api.mount(managing, inboxRoutesOf['inbox/source-api']);
    const onReceipt = new NodeFunction(this, 'OnReceipt', {
      entry: 'inbox/on-receipt',
      settings,
      timeout: Duration.seconds(30),
      memoryMb: 1_024,
      impact: 'Webhooks that were taken in go on late.',
    });
    alarm(this, 'WebhooksFailed', {
      grade: 'look-tomorrow',
      metric: countedMetric(settings, 'WebhooksFailed'),
      impact: 'Webhooks that were taken in have not gone on, until somebody replays them.',
      runbook: 'received-webhooks-have-failed',
    });
    this.functions = {
      'inbox/api': receiving,
      'inbox/source-api': managing,
      'inbox/on-receipt': onReceipt,
    };
    this.queues = {
      inbox: new WorkQueue(this, 'inbox', {
        name: 'inbox',
        settings,
        worker: onReceipt,
        batchSize: 10,
        impact: 'Some webhooks that were taken in go on late, or not at all.',
      }).queue,
    };
  }
}
