import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { fileRoutes } from '../functions/files/contract.ts';
import type { PlatformApi } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { RoomBucket } from './kit/room-bucket.ts';
import { RoomTable } from './kit/room-table.ts';
import type { Settings } from './kit/settings.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** Files: the bucket, the parser that an upload starts, and the workers that deliver its blocks. */
export class Files extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, settings: Settings, api: PlatformApi) {
    super(scope, id);
    this.tables = {
      files: new RoomTable(this, 'Files', { settings, indexes: { listing: [], due: [] } }),
    };
    this.bucket = new RoomBucket(this, 'Bucket', settings);
    new CfnOutput(scope, 'BucketName', { value: this.bucket.bucketName });

    const routes = apiFunction(this, 'files/api', settings);
    api.mount(routes, fileRoutes);
    const onUpload = parser(this, settings);
    const onBlock = blockWorker(this, settings);
    const onCare = carer(this, settings);
    this.functions = {
      'files/api': routes,
      'files/on-upload': onUpload,
      'files/on-block': onBlock,
      'files/on-care': onCare,
    };

    const events = new WorkQueue(this, 'file-events', {
      name: 'file-events',
      settings,
      worker: onUpload,
      batchSize: 1,
      // A parser holds a lease, so that a second one would step back: a minute more is enough.
      visibility: Duration.minutes(16),
      retention: Duration.days(14),
      impact: 'Some uploaded files are parsed late.',
    });
    const blocks = new WorkQueue(this, 'file-blocks', {
      name: 'file-blocks',
      settings,
      worker: onBlock,
      batchSize: 1,
      impact: 'Some users of a file are alerted late.',
    });
    const care = new WorkQueue(this, 'file-care', {
      name: 'file-care',
      settings,
      worker: onCare,
      batchSize: 10,
      impact: 'Stuck files recover late, and their counters lag.',
    });
    this.queues = {
      'file-events': events.queue,
      'file-blocks': blocks.queue,
      'file-care': care.queue,
    };
    this.#tellUploads(events);
  }

  /** An object under `incoming/` or `drop/` becomes a message. */
  #tellUploads({ queue }: WorkQueue): void {
    new Rule(this, 'Uploaded', {
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [this.bucket.bucketName] },
          object: { key: [{ prefix: 'incoming/' }, { prefix: 'drop/' }] },
        },
      },
      targets: [new SqsQueue(queue)],
    });
  }
}

function parser(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnUpload', {
    entry: 'files/on-upload',
    settings,
    // The most that Lambda allows.
    timeout: Duration.minutes(15),
    memoryMb: 1_769,
    impact: 'Some uploaded files are parsed late.',
  });
}

function blockWorker(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnBlock', {
    entry: 'files/on-block',
    settings,
    timeout: Duration.seconds(60),
    memoryMb: 1_024,
    impact: 'Some users of a file are alerted late, at most 25 of them twice under the same id.',
  });
}

function carer(scope: Construct, settings: Settings): NodeFunction {
  return new NodeFunction(scope, 'OnCare', {
    entry: 'files/on-care',
    settings,
    timeout: Duration.seconds(60),
    memoryMb: 512,
    impact: 'Stuck files recover late, and their counters lag.',
  });
}
