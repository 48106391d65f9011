import { readFileSync } from 'node:fs';
import { at, ofType, type Resource, type Resources, refersTo, statementsOf } from './stack.ts';

/** One resource and the template that it stands in. */
export interface Facts {
  readonly id: string;
  readonly resource: Resource;
  readonly properties: Record<string, unknown>;
  readonly resources: Resources;
}

/** What holds for each resource of a type, and a fault that must be seen once it is planted. */
export interface Rule {
  readonly title: string;
  readonly type: string;
  readonly only?: (facts: Facts) => boolean;
  readonly holds: (facts: Facts) => boolean;
  readonly spoil: (facts: Facts) => void;
}

const isAbout =
  ({ id }: Facts) =>
  ([, { Properties }]: [string, Resource]) =>
    refersTo(Properties, id);

const isConsumed = (facts: Facts) =>
  ofType(facts.resources, 'Lambda::EventSourceMapping').some(([, { Properties }]) =>
    refersTo(Properties.EventSourceArn, facts.id),
  );

const readsStream = ({ properties }: Facts) => refersTo(properties.EventSourceArn, 'StreamArn');

const deniesPlainHttp = ({ resource }: Facts) =>
  statementsOf(resource).some(
    ({ Effect, Condition }) =>
      Effect === 'Deny' &&
      refersTo(Condition, 'aws:SecureTransport') &&
      refersTo(Condition, 'false'),
  );

/** `*` alone, or every action of a service. A prefix of objects, `incoming/*`, is no wildcard. */
const isWild = (value: unknown) => [value].flat().some((it) => /^([\w-]+:)?\*$/.test(String(it)));

/** What IAM knows no resource for: who has such a right is asserted beside lib/access.ts. */
const NOT_OF_A_RESOURCE: readonly unknown[] = ['cloudwatch:GetMetricData'];

const functionOf = ({ properties, resources }: Facts) =>
  resources[String(at(properties, 'FunctionName.Ref'))];

const queueOf = ({ properties, resources }: Facts) =>
  resources[String(at(properties, 'EventSourceArn.Fn::GetAtt.0'))];

/** Six timeouts. The parser, with its 15 minutes and its lease, is the one exception. */
const visibilityMin = (timeout: number) => (timeout === 900 ? 960 : 6 * timeout);

const replace = ({ properties }: Facts, changes: Record<string, unknown>) =>
  void Object.assign(properties, changes);

/** Takes away all resources of a type. */
const forget = ({ resources }: Facts, type: string) => {
  for (const [id] of ofType(resources, type)) Reflect.deleteProperty(resources, id);
};

/** Whether it rings at the first message, and not at the second. */
const ringsAtOne = ([, { Properties }]: [string, Resource]) =>
  Properties.Threshold === 1 &&
  Properties.ComparisonOperator === 'GreaterThanOrEqualToThreshold' &&
  Properties.EvaluationPeriods === 1;

/** The anchors of the runbook, as GitHub makes them from its headings. */
const ANCHORS = [...readFileSync('docs/runbook.md', 'utf8').matchAll(/^#+ (.*)$/gm)].map(
  ([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
);

/** The misconfigurations that the template must not have. */
export const RULES: readonly Rule[] = [
  {
    title: 'queues are reached over TLS only',
    type: 'SQS::QueuePolicy',
    holds: deniesPlainHttp,
    spoil: (it) => replace(it, { PolicyDocument: {} }),
  },
  {
    title: 'every queue has a policy',
    type: 'SQS::Queue',
    holds: (it) => ofType(it.resources, 'SQS::QueuePolicy').some(isAbout(it)),
    spoil: (it) => forget(it, 'SQS::QueuePolicy'),
  },
  {
    title: 'queues are encrypted',
    type: 'SQS::Queue',
    holds: ({ properties }) => properties.SqsManagedSseEnabled === true,
    spoil: (it) => replace(it, { SqsManagedSseEnabled: false }),
  },
  {
    title: 'a consumed queue parks a message after five receives, and not before',
    type: 'SQS::Queue',
    only: isConsumed,
    holds: ({ properties }) => at(properties, 'RedrivePolicy.maxReceiveCount') === 5,
    spoil: (it) => replace(it, { RedrivePolicy: undefined }),
  },
  {
    title: 'a queue that nobody consumes keeps its messages for 14 days and has an alarm',
    type: 'SQS::Queue',
    only: (it) => !isConsumed(it),
    holds: (it) =>
      it.properties.MessageRetentionPeriod === 14 * 86_400 &&
      ofType(it.resources, 'CloudWatch::Alarm').some(
        (alarm) => isAbout(it)(alarm) && ringsAtOne(alarm),
      ),
    spoil: (it) => forget(it, 'CloudWatch::Alarm'),
  },
  {
    title: 'a message is invisible for six timeouts of its consumer',
    type: 'Lambda::EventSourceMapping',
    only: (it) => !readsStream(it),
    holds: (it) => {
      const timeout = Number(functionOf(it)?.Properties.Timeout);
      return Number(queueOf(it)?.Properties.VisibilityTimeout) >= visibilityMin(timeout);
    },
    spoil: (it) => Object.assign(functionOf(it)?.Properties ?? {}, { Timeout: 161 }),
  },
  {
    title: 'every source reports partial failures',
    type: 'Lambda::EventSourceMapping',
    holds: ({ properties }) =>
      refersTo(properties.FunctionResponseTypes, 'ReportBatchItemFailures'),
    spoil: (it) => replace(it, { FunctionResponseTypes: [] }),
  },
  {
    title: 'every queue consumer has a maximum concurrency',
    type: 'Lambda::EventSourceMapping',
    only: (it) => !readsStream(it),
    holds: ({ properties }) => Number(at(properties, 'ScalingConfig.MaximumConcurrency')) >= 2,
    spoil: (it) => replace(it, { ScalingConfig: undefined }),
  },
  {
    title: 'a stream source parks what it cannot handle',
    type: 'Lambda::EventSourceMapping',
    only: readsStream,
    holds: ({ properties }) => at(properties, 'DestinationConfig.OnFailure') !== undefined,
    spoil: (it) => replace(it, { DestinationConfig: undefined }),
  },
  {
    title: 'tables are on demand, encrypted and restorable',
    type: 'DynamoDB::Table',
    holds: ({ properties }) =>
      properties.BillingMode === 'PAY_PER_REQUEST' &&
      at(properties, 'SSESpecification.SSEEnabled') === true &&
      at(properties, 'PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled') === true,
    spoil: (it) => replace(it, { PointInTimeRecoverySpecification: undefined }),
  },
  {
    title: 'the bucket is reached over TLS only',
    type: 'S3::BucketPolicy',
    holds: deniesPlainHttp,
    spoil: (it) => replace(it, { PolicyDocument: {} }),
  },
  {
    title: 'the bucket is private, versioned and encrypted',
    type: 'S3::Bucket',
    holds: ({ properties }) =>
      Object.values(Object(properties.PublicAccessBlockConfiguration)).join() ===
        'true,true,true,true' &&
      at(properties, 'VersioningConfiguration.Status') === 'Enabled' &&
      properties.BucketEncryption !== undefined,
    spoil: (it) => replace(it, { PublicAccessBlockConfiguration: { BlockPublicAcls: true } }),
  },
  {
    title: 'no role may do everything, or something to everything',
    type: 'IAM::Policy',
    holds: ({ resource }) =>
      !statementsOf(resource).some(
        ({ Action, Resource }) =>
          isWild(Action) || (isWild(Resource) && !NOT_OF_A_RESOURCE.includes(Action)),
      ),
    spoil: (it) => Object.assign(statementsOf(it.resource)[0] ?? {}, { Action: 'sqs:*' }),
  },
  {
    title: 'a role is of one function and has no managed policy',
    type: 'IAM::Role',
    holds: (it) =>
      it.properties.ManagedPolicyArns === undefined &&
      ofType(it.resources, 'Lambda::Function').filter(isAbout(it)).length === 1,
    spoil: (it) => replace(it, { ManagedPolicyArns: ['arn:aws:iam::aws:policy/AnyPolicy'] }),
  },
  {
    title: 'functions run on nodejs24.x and arm64, with a log group of their own',
    type: 'Lambda::Function',
    holds: ({ properties }) =>
      properties.Runtime === 'nodejs24.x' &&
      refersTo(properties.Architectures, 'arm64') &&
      at(properties, 'LoggingConfig.LogGroup.Ref') !== undefined,
    spoil: (it) => replace(it, { LoggingConfig: undefined }),
  },
  {
    // There, addresses that are private elsewhere would lead to what others trust.
    title: 'no function is in a network of its own',
    type: 'Lambda::Function',
    holds: ({ properties }) => properties.VpcConfig === undefined,
    spoil: (it) => replace(it, { VpcConfig: { SubnetIds: ['subnet-1'] } }),
  },
  {
    title: 'every function has an alarm',
    type: 'Lambda::Function',
    holds: (it) => ofType(it.resources, 'CloudWatch::Alarm').some(isAbout(it)),
    spoil: (it) => forget(it, 'CloudWatch::Alarm'),
  },
  {
    title: 'a reader of the stream has an alarm for falling behind',
    type: 'Lambda::EventSourceMapping',
    only: readsStream,
    holds: ({ properties, resources }) =>
      ofType(resources, 'CloudWatch::Alarm').some(
        ([, alarm]) =>
          alarm.Properties.MetricName === 'IteratorAge' &&
          alarm.Properties.Threshold === 60_000 &&
          refersTo(alarm.Properties.Dimensions, String(at(properties, 'FunctionName.Ref'))),
      ),
    spoil: (it) => forget(it, 'CloudWatch::Alarm'),
  },
  {
    title: 'logs end',
    type: 'Logs::LogGroup',
    holds: ({ properties }) => Number(properties.RetentionInDays) > 0,
    spoil: (it) => replace(it, { RetentionInDays: undefined }),
  },
  {
    title: 'an alarm says whom it hurts, and names a section of the runbook that exists',
    type: 'CloudWatch::Alarm',
    holds: ({ properties }) => {
      const text = String(properties.AlarmDescription);
      const [, impact, anchor = ''] = /^(.+\.) See docs\/runbook\.md#(.+)\.$/.exec(text) ?? [];
      return impact !== undefined && ANCHORS.includes(anchor);
    },
    spoil: (it) => replace(it, { AlarmDescription: 'It is bad. See docs/runbook.md#nowhere.' }),
  },
  {
    title: 'the stage logs each access',
    type: 'ApiGatewayV2::Stage',
    holds: ({ properties }) => at(properties, 'AccessLogSettings.DestinationArn') !== undefined,
    spoil: (it) => replace(it, { AccessLogSettings: undefined }),
  },
];

/** The resources that a rule is about. */
export function factsOf(resources: Resources, { type, only }: Rule): Facts[] {
  return ofType(resources, type)
    .map(([id, resource]) => ({ id, resource, properties: resource.Properties, resources }))
    .filter((facts) => only?.(facts) ?? true);
}
