import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import type { NodeFunction } from './node-function.ts';

/**
 * Calls the worker once a minute. A lost call is made good by the next one: neither EventBridge
 * nor Lambda repeats it, because a repeat would only run beside the next.
 */
export function eachMinute(scope: Construct, id: string, worker: NodeFunction): void {
  worker.configureAsyncInvoke({ retryAttempts: 0 });
  new Rule(scope, id, {
    schedule: Schedule.rate(Duration.minutes(1)),
    targets: [new LambdaFunction(worker, { retryAttempts: 0 })],
  });
}
