import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { alarm, countedMetric, heartbeatAlarm } from './kit/alarm.ts';
import { eachMinute } from './kit/each-minute.ts';
import { NodeFunction } from './kit/node-function.ts';
import type { Settings } from './kit/settings.ts';
import { WorkQueue } from './kit/work-queue.ts';

/** The sweeper: each minute it hands what is due to the queue of its room. */
export class Timers extends Construct {
  readonly functions;
  readonly queues;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const onMinute = new NodeFunction(this, 'OnMinute', {
      entry: 'timers/on-minute',
      settings,
      timeout: Duration.seconds(55),
      memoryMb: 512,
      impact: 'Retries and recovery come late: what is due is not picked up.',
    });
    eachMinute(this, 'EachMinute', onMinute);
    const onSweep = new NodeFunction(this, 'OnSweep', {
      entry: 'timers/on-sweep',
      settings,
      timeout: Duration.seconds(60),
      // A call to a queue is ten messages, and a minute may have 600,000 of them.
      memoryMb: 1_024,
      impact: 'Of very many things that are due in one minute some come minutes late.',
    });
    this.functions = { 'timers/on-minute': onMinute, 'timers/on-sweep': onSweep };
    this.queues = {
      sweeps: new WorkQueue(this, 'sweeps', {
        name: 'sweeps',
        settings,
        worker: onSweep,
        // The whole timeout is for one shard.
        batchSize: 1,
        impact: 'Of very many things that were due in one minute some came minutes late.',
      }).queue,
    };
    heartbeatAlarm(this, 'Silent', {
      grade: 'wake-up',
      metric: countedMetric(settings, 'SweeperTicks'),
      periods: 2,
      impact: 'Retries, tasks and recovery come late: nobody looks at what is due.',
      runbook: 'the-sweeper-does-not-tick',
    });
    alarm(this, 'Unreadable', {
      grade: 'look-tomorrow',
      metric: countedMetric(settings, 'UnreadableRows'),
      impact: 'Something unfinished is not picked up: its stored form is not understood.',
      runbook: 'a-stored-row-cannot-be-read',
    });
  }
}
