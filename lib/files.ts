import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction, SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { fileRoutes } from '../functions/files/contract.ts';
import { alarm, countedMetric } from './kit/alarm.ts';
import type { RoomProps } from './kit/http-api.ts';
import { apiFunction, NodeFunction } from './kit/node-function.ts';
import { RoomBucket } from './kit/room-bucket.ts';
import { roomTable } from './kit/room-table.ts';
import type { Settings } from './kit/settings.ts';
import { WorkQueue, type WorkQueueProps } from './kit/work-queue.ts';
import type { QueueName } from './names.ts';

/** Files: the bucket, the parser that an upload starts, and the workers that deliver its blocks. */
export class Files extends Construct {
  readonly functions;
  readonly tables;
  readonly queues;
  readonly bucket: Bucket;

  constructor(scope: Construct, id: string, { settings, api }: RoomProps) {
    super(scope, id);
    this.tables = {
      files: roomTable(this, 'Files', {
        name: 'files',
        settings,
        expires: true,
        indexes: { listing: [], due: [] },
      }),
    };
    this.bucket = new RoomBucket(this, 'Bucket', settings);
    new CfnOutput(scope, 'BucketName', { value: this.bucket.bucketName });

    const routes = apiFunction(this, 'files/api', settings);
    api.mount(routes, fileRoutes);
    const onUpload = parser(this, settings);
    const onBlock = blockWorker(this, settings);
    const onCare = carer(this, settings);
    const onHour = finder(this, settings);
    this.functions = {
      'files/api': routes,
      'files/on-upload': onUpload,
      'files/on-block': onBlock,
      'files/on-care': onCare,
      'files/on-hour': onHour,
    };

    this.queues = this.#queues(settings);
    this.#tellUploads();
    alarm(this, 'DropsOfNobody', {
      grade: 'look-tomorrow',
      metric: countedMetric(settings, 'DropsOfNobody'),
      impact: 'A dropped file is not read: its folder names no tenant, or no endpoint.',
      runbook: 'files-dropped-for-nobody',
    });
  }

  #queues(settings: Settings) {
    const { functions } = this;
    const queue = (name: QueueName, props: Omit<WorkQueueProps, 'name' | 'settings'>) =>
      new WorkQueue(this, name, { name, settings, ...props }).queue;
    return {
      'file-events': queue('file-events', {
        worker: functions['files/on-upload'],
        batchSize: 1,
        // A parser holds a lease, so that a second one would step back: a minute more is enough.
        visibility: Duration.minutes(16),
        retention: Duration.days(14),
        impact: 'Some uploaded files are parsed late.',
      }),
      'file-blocks': queue('file-blocks', {
        worker: functions['files/on-block'],
        // A block is a minute of work: the whole timeout is for one.
        batchSize: 1,
        impact: 'Some users of a file are alerted late.',
      }),
      'file-care': queue('file-care', {
        worker: functions['files/on-care'],
        batchSize: 10,
        impact: 'Stuck files recover late, and their counters lag.',
      }),
    };
  }

  /** An object under `incoming/` or `drop/` becomes a message. */
  #tellUploads(): void {
    new Rule(this, 'Uploaded', {
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [this.bucket.bucketName] },
          object: { key: [{ prefix: 'incoming/' }, { prefix: 'drop/' }] },
        },
      },
      targets: [new SqsQueue(this.queues['file-events'])],
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

/** Each hour; what one call misses, the next one finds. */
function finder(scope: Construct, settings: Settings): NodeFunction {
  const worker = new NodeFunction(scope, 'OnHour', {
    entry: 'files/on-hour',
    settings,
    timeout: Duration.minutes(5),
    memoryMb: 512,
    impact: 'Dropped files whose event got lost are found late.',
  });
  worker.configureAsyncInvoke({ retryAttempts: 0 });
  new Rule(scope, 'EachHour', {
    schedule: Schedule.rate(Duration.hours(1)),
    targets: [new LambdaFunction(worker, { retryAttempts: 0 })],
  });
  return worker;
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
