import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { alarm, countedMetric } from './kit/alarm.ts';
import { eachMinute } from './kit/each-minute.ts';
import { NodeFunction } from './kit/node-function.ts';
import type { Settings } from './kit/settings.ts';

/** The sweeper: each minute it hands what is due to the queue of its room. */
export class Timers extends Construct {
  readonly functions;

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
    this.functions = { 'timers/on-minute': onMinute };
    alarm(this, 'Unreadable', {
      metric: countedMetric('UnreadableRows'),
      impact: 'Something unfinished is not picked up: its stored form is not understood.',
      runbook: 'a-stored-row-cannot-be-read',
    });
  }
}
