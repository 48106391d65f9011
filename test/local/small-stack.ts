import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Assembly } from '../../local/synthesise.ts';

const getAtt = (id: string, name: string) => ({ 'Fn::GetAtt': [id, name] });

/** A stack of all the types that the local cloud makes, small enough to be read at a glance. */
const RESOURCES = {
  Ledger: {
    Type: 'AWS::DynamoDB::GlobalTable',
    Properties: {
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
        { AttributeName: 'duePk', AttributeType: 'S' },
        { AttributeName: 'dueSk', AttributeType: 'S' },
      ],
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'due',
          KeySchema: [
            { AttributeName: 'duePk', KeyType: 'HASH' },
            { AttributeName: 'dueSk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        },
      ],
      StreamSpecification: { StreamViewType: 'NEW_IMAGE' },
    },
  },
  Parked: { Type: 'AWS::SQS::Queue', Properties: { MessageRetentionPeriod: 1_209_600 } },
  Work: {
    Type: 'AWS::SQS::Queue',
    Properties: {
      VisibilityTimeout: 1,
      RedrivePolicy: { deadLetterTargetArn: getAtt('Parked', 'Arn'), maxReceiveCount: 2 },
    },
  },
  Files: {
    Type: 'AWS::S3::Bucket',
    Properties: {
      NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } },
      VersioningConfiguration: { Status: 'Enabled' },
    },
  },
  AdminKey: {
    Type: 'AWS::SecretsManager::Secret',
    Properties: { GenerateSecretString: { ExcludePunctuation: true, PasswordLength: 40 } },
  },
  Uploaded: {
    Type: 'AWS::Events::Rule',
    Properties: {
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: [{ Ref: 'Files' }] }, object: { key: [{ prefix: 'in/' }] } },
      },
      State: 'ENABLED',
      Targets: [{ Arn: getAtt('Work', 'Arn'), Id: 'Target0' }],
    },
  },
  EachMinute: {
    Type: 'AWS::Events::Rule',
    Properties: {
      ScheduleExpression: 'rate(1 minute)',
      State: 'ENABLED',
      Targets: [{ Arn: getAtt('Worker', 'Arn'), Id: 'Target0' }],
    },
  },
  WorkerRole: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: {} } },
  Worker: {
    Type: 'AWS::Lambda::Function',
    Properties: {
      Description: 'Tallyhook small/worker',
      Handler: 'index.handler',
      Code: { S3Bucket: { 'Fn::Sub': `assets-\${AWS::Region}` }, S3Key: 'worker.zip' },
      Role: getAtt('WorkerRole', 'Arn'),
      Timeout: 5,
      MemorySize: 256,
      Environment: {
        Variables: {
          TABLE_LEDGER: { Ref: 'Ledger' },
          QUEUE_WORK: { Ref: 'Work' },
          QUEUE_PARKED: { Ref: 'Parked' },
          BUCKET_FILES: { Ref: 'Files' },
          SECRET_ADMIN_KEY: { Ref: 'AdminKey' },
        },
      },
    },
  },
  Api: { Type: 'AWS::ApiGatewayV2::Api', Properties: { Name: 'small', ProtocolType: 'HTTP' } },
  Integration: {
    Type: 'AWS::ApiGatewayV2::Integration',
    Properties: {
      ApiId: { Ref: 'Api' },
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: getAtt('Worker', 'Arn'),
      PayloadFormatVersion: '2.0',
    },
  },
  AnyRoute: {
    Type: 'AWS::ApiGatewayV2::Route',
    Properties: {
      ApiId: { Ref: 'Api' },
      RouteKey: '$default',
      Target: { 'Fn::Join': ['', ['integrations/', { Ref: 'Integration' }]] },
    },
  },
  QueueSource: {
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: {
      EventSourceArn: getAtt('Work', 'Arn'),
      FunctionName: { Ref: 'Worker' },
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 2 },
    },
  },
  StreamSource: {
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: {
      EventSourceArn: getAtt('Ledger', 'StreamArn'),
      FunctionName: { Ref: 'Worker' },
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 10,
      ParallelizationFactor: 2,
      FilterCriteria: { Filters: [{ Pattern: '{"eventName":["INSERT"]}' }] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    },
  },
};

/**
 * The function of the small stack appends what it is called with to the file `seen` beside it,
 * one JSON per line. A message `fail` fails, and the path /crash ends the process.
 */
const WORKER = `
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
const seen = import.meta.dirname + '/seen';
export const handler = async (event, context) => {
  appendFileSync(seen, JSON.stringify(event) + '\\n');
  if (event.rawPath === '/crash') process.exit(7);
  if (event.rawPath) {
    const { rawPath, isBase64Encoded, body } = event;
    const variables = Object.keys(process.env).sort();
    return { statusCode: 200, body: JSON.stringify({ rawPath, isBase64Encoded, body, variables }) };
  }
  const failed = (event.Records ?? []).filter((it) => it.body === 'fail');
  return { batchItemFailures: failed.map((it) => ({ itemIdentifier: it.messageId })) };
};
`;

export interface SmallStack {
  readonly assembly: Assembly;
  readonly stateDir: string;
  /** What the function appends its events to. */
  readonly seenFile: string;
  remove(): void;
}

/**
 * Writes the stack as the CDK would, and names a folder for its state, all under one new folder.
 */
export function writeSmallStack(resources: object = RESOURCES): SmallStack {
  const root = mkdtempSync(join(tmpdir(), 'small-stack-'));
  const dir = join(root, 'assembly');
  mkdirSync(join(dir, 'asset.worker'), { recursive: true });
  writeFileSync(join(dir, 'asset.worker', 'index.mjs'), WORKER);
  const templateFile = join(dir, 'Tallyhook.template.json');
  writeFileSync(templateFile, JSON.stringify({ Resources: resources }));
  const files = { worker: { source: { path: 'asset.worker', packaging: 'zip' } } };
  writeFileSync(join(dir, 'Tallyhook.assets.json'), JSON.stringify({ files }));
  return {
    assembly: { dir, templateFile },
    stateDir: join(root, 'state'),
    seenFile: join(dir, 'asset.worker', 'seen'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
