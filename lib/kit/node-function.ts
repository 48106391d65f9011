import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Function as LambdaFunction,
  RecursiveLoop,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { ACCESS, type Access, type Entry } from '../access.ts';
import { alarm } from './alarm.ts';
import { codeOf, type Settings } from './settings.ts';

export interface NodeFunctionProps {
  readonly entry: Entry;
  readonly settings: Settings;
  readonly timeout: Duration;
  /** The processor grows with the memory: 1,769 MB are one whole processor. */
  readonly memoryMb: number;
  /** What a customer notices while it fails. Printed in its alarm. */
  readonly impact: string;
  /** When a customer notices at once: somebody is woken up when it has failed for 3 minutes. */
  readonly isPrompt?: boolean;
}

/** API Gateway gives up after 30 seconds, a quota that cannot be raised. */
const API_TIMEOUT = Duration.seconds(29);

/**
 * A Lambda with a role, a log group and an alarm of its own. The role can write that log and
 * nothing else, until `grantAccess` adds the row of lib/access.ts.
 */
export class NodeFunction extends LambdaFunction {
  readonly timeoutSeconds: number;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    const { entry, settings, timeout } = props;
    const { options, build } = settings;
    const role = new Role(scope, `${id}Role`, {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    });
    const logGroup = new LogGroup(scope, `${id}Log`, {
      retention: options.logRetentionDays,
      removalPolicy: options.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    super(scope, id, {
      description: `Tallyhook ${entry}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: codeOf(entry, settings),
      timeout,
      memorySize: props.memoryMb,
      recursiveLoop: sendsToItself(entry) ? RecursiveLoop.ALLOW : RecursiveLoop.TERMINATE,
      role,
      logGroup,
      environment: { BUILD: build, LOG_LEVEL: options.logLevel, STAGE: options.stage },
    });
    this.timeoutSeconds = timeout.toSeconds();
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [logGroup.logGroupArn],
      }),
    );
    // One crash heals by itself.
    alarm(scope, `${id}Errors`, {
      ...(props.isPrompt ? { grade: 'wake-up', periods: 3 } : { grade: 'look-tomorrow' }),
      metric: this.metricErrors({ period: Duration.minutes(1) }),
      impact: props.impact,
      runbook: props.isPrompt ? 'the-api-answers-5xx' : 'a-function-fails',
    });
  }
}

/** A Lambda that answers routes of one room. Its id is that of its entry: `DeliveryApi`. */
export function apiFunction(scope: Construct, entry: Entry, settings: Settings): NodeFunction {
  const words = entry.replace(/^.*\//, '').split('-');
  const id = words.map((it) => it.charAt(0).toUpperCase() + it.slice(1)).join('');
  return new NodeFunction(scope, id, {
    entry,
    settings,
    timeout: API_TIMEOUT,
    memoryMb: 1_024,
    isPrompt: true,
    impact: `Some requests to ${entry} are answered with 500.`,
  });
}

/** Lambda stops a chain of 16 messages through one function, unless the chain is meant. */
function sendsToItself(entry: Entry): boolean {
  const { consumes = [], sendsTo = [] }: Access = ACCESS[entry];
  return consumes.some((queue) => sendsTo.includes(queue));
}
