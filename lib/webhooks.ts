import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { webhookRoutesOf } from '../functions/webhooks/contract.ts';
import { alarm, countedMetric, heartbeatAlarm } from './kit/alarm.ts';
import { eachMinute } from './kit/each-minute.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { RoomSecret } from './kit/room-secret.ts';
import { type AnyTable, roomTable } from './kit/room-table.ts';
import type { Settings } from './kit/settings.ts';
import { StreamSource } from './kit/stream-source.ts';
import { WorkQueue } from './kit/work-queue.ts';
import type { QueueName } from './names.ts';

/** The relay reads the stream of the outbox, which belongs to the room above. */
export interface WebhooksProps extends RoomProps {
  readonly outbox: AnyTable;
}

/** Endpoints and deliveries: the relay out of the outbox, its reconciler, and the two lanes. */
export class Webhooks extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;
  readonly secrets;
  readonly parked;

  constructor(scope: Construct, id: string, { settings, api, outbox }: WebhooksProps) {
    super(scope, id);
    this.tables = {
      endpoints: roomTable(this, 'Endpoints', {
        name: 'endpoints',
        settings,
        indexes: { due: [] },
        expires: true,
      }),
      deliveries: roomTable(this, 'Deliveries', {
        name: 'deliveries',
        settings,
        indexes: { due: [], open: [] },
        expires: true,
      }),
    };
    this.secrets = {
      'master-key': new RoomSecret(this, 'MasterKey', {
        settings,
        description: 'Encrypts the secrets of endpoints',
      }),
    };
    const apis = {
      'webhooks/api': apiFunction(this, 'webhooks/api', settings),
      'webhooks/change-api': apiFunction(this, 'webhooks/change-api', settings),
      'webhooks/delivery-api': apiFunction(this, 'webhooks/delivery-api', settings),
      'webhooks/replay-api': apiFunction(this, 'webhooks/replay-api', settings),
      'webhooks/test-api': apiFunction(this, 'webhooks/test-api', settings),
    };
    for (const [entry, routes] of Object.entries(webhookRoutesOf)) {
      api.mount(apis[entry as keyof typeof apis], routes);
    }

    const onOutbox = relay(this, settings);
    const stream = new StreamSource(this, 'Stream', {
      outbox,
      worker: onOutbox,
      parked: 'Unrelayed',
      impact: 'Some events reach their receivers late.',
      impactOfLag: 'Webhooks go out minutes late.',
    });
    this.parked = { 'webhooks/on-outbox': stream.parked };
    const onReconcile = reconciler(this, settings);
    eachMinute(this, 'EachMinute', onReconcile);
    watchUnrelayed(this, settings);

    const onDelivery = deliverer(this, settings);
    const onCare = carer(this, settings);
    const queue = (name: QueueName, worker: NodeFunction, impact: string) => {
      // A step of a release sends up to 500 deliveries: ten of them would take too long together.
      const batchSize = name === 'endpoint-care' ? 2 : 10;
      return new WorkQueue(this, name, { name, settings, worker, batchSize, impact }).queue;
    };
    this.queues = {
      'delivery-fast': queue('delivery-fast', onDelivery, 'Some first attempts are late.'),
      'delivery-slow': queue('delivery-slow', onDelivery, 'Some retries wait for the sweeper.'),
      'endpoint-care': queue('endpoint-care', onCare, 'Some held deliveries are not released.'),
    };
    this.functions = {
      ...apis,
      'webhooks/on-outbox': onOutbox,
      'webhooks/on-reconcile': onReconcile,
      'webhooks/on-delivery': onDelivery,
      'webhooks/on-care': onCare,
    };
  }
}

function watchUnrelayed(scope: Construct, settings: Settings): void {
  alarm(scope, 'OldestUnrelayed', {
    grade: 'wake-up',
    metric: countedMetric(settings, 'OldestUnrelayedMs', 'Maximum'),
    // What the relay has missed is relayed by the reconciler within three minutes.
    atLeast: Duration.minutes(5).toMilliseconds(),
    impact: 'Some webhooks are minutes late, and no attempt at them has been made.',
    runbook: 'events-are-not-relayed',
  });
  heartbeatAlarm(scope, 'ReconcilerSilent', {
    grade: 'wake-up',
    metric: countedMetric(settings, 'ReconcilerTicks'),
    periods: 3,
    impact: 'Nobody looks for events that were not relayed, and for lost deliveries.',
    runbook: 'the-reconciler-does-not-tick',
  });
}

function relay(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnOutbox', {
    entry: 'webhooks/on-outbox',
    settings,
    timeout: Duration.seconds(30),
    memoryMb: 1_024,
    impact: 'Events reach their receivers minutes late: the reconciler relays them.',
  });
}

function reconciler(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnReconcile', {
    entry: 'webhooks/on-reconcile',
    settings,
    timeout: Duration.seconds(55),
    memoryMb: 512,
    impact: 'Events whose relay failed wait until this works again.',
  });
}

function deliverer(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnDelivery', {
    entry: 'webhooks/on-delivery',
    settings,
    timeout: Duration.seconds(30),
    memoryMb: 1_024,
    impact: 'Webhooks are late, or come twice under the same id.',
  });
}

function carer(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnCare', {
    entry: 'webhooks/on-care',
    settings,
    timeout: Duration.seconds(30),
    memoryMb: 512,
    impact: 'What is held behind an endpoint stays there, and replays stand still.',
  });
}
