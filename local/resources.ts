import { LocalFailure } from './failure.ts';
import type { References, Resource, Template } from './template.ts';
import { NO_VALUE } from './template.ts';

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';
export const STACK = 'Tallyhook';

/** Attributes that are known only after the resource was made. */
export interface Runtime {
  readonly apiUrl: string;
  readonly queueUrl: (name: string) => string;
  /** Stream ARNs by the name of their table. */
  readonly streamArns: ReadonlyMap<string, string>;
}

/** The property that gives a resource its own name, by type. */
const NAME_PROPERTIES: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::GlobalTable': 'TableName',
  'AWS::DynamoDB::Table': 'TableName',
  'AWS::Events::Rule': 'Name',
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::S3::Bucket': 'BucketName',
  'AWS::SQS::Queue': 'QueueName',
  'AWS::SecretsManager::Secret': 'Name',
};

/** The physical name: the one that the template gives, else stack and logical id. */
export function nameOf({ id, type, properties }: Resource): string {
  const given = properties[NAME_PROPERTIES[type] ?? ''];
  if (typeof given === 'string') return given;
  if (given !== undefined) throw new LocalFailure(`${id}: a computed name is not supported here`);
  const name = `${STACK}-${id}`;
  return type === 'AWS::S3::Bucket' ? name.toLowerCase() : name;
}

const arn = (service: string, rest: string): string =>
  `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;

/** The ARN of a resource that others refer to by it. */
export function arnOf(resource: Resource): string | undefined {
  const name = nameOf(resource);
  switch (resource.type) {
    case 'AWS::DynamoDB::GlobalTable':
    case 'AWS::DynamoDB::Table':
      return arn('dynamodb', `table/${name}`);
    case 'AWS::Events::Rule':
      return arn('events', `rule/${name}`);
    case 'AWS::IAM::Role':
      return `arn:aws:iam::${ACCOUNT}:role/${name}`;
    case 'AWS::Lambda::Function':
      return arn('lambda', `function:${name}`);
    case 'AWS::Logs::LogGroup':
      return arn('logs', `log-group:${name}:*`);
    case 'AWS::S3::Bucket':
      return `arn:aws:s3:::${name}`;
    case 'AWS::SQS::Queue':
      return arn('sqs', name);
    case 'AWS::SecretsManager::Secret':
      return arn('secretsmanager', `secret:${name}`);
    default:
      return undefined;
  }
}

/** Pseudo parameters, and what `Ref` and `Fn::GetAtt` mean for each type. */
export function referencesOf(template: Template, runtime: Runtime): References {
  const byId = new Map(template.resources.map((resource) => [resource.id, resource]));
  return {
    ref(name) {
      if (name in PSEUDO) return PSEUDO[name];
      const resource = byId.get(name);
      if (!resource) return undefined;
      if (resource.type === 'AWS::SQS::Queue') return runtime.queueUrl(nameOf(resource));
      if (resource.type === 'AWS::SecretsManager::Secret') return arnOf(resource);
      if (resource.type === 'AWS::ApiGatewayV2::Stage') return '$default';
      return NAME_PROPERTIES[resource.type] ? nameOf(resource) : resource.id;
    },
    attribute(id, name) {
      const resource = byId.get(id);
      return resource && attributeOf(resource, name, runtime);
    },
  };
}

const PSEUDO: Readonly<Record<string, unknown>> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::NoValue': NO_VALUE,
  'AWS::Partition': 'aws',
  'AWS::Region': REGION,
  'AWS::StackId': arn('cloudformation', `stack/${STACK}/local`),
  'AWS::StackName': STACK,
  'AWS::URLSuffix': 'amazonaws.com',
};

function attributeOf(resource: Resource, name: string, runtime: Runtime): unknown {
  const { type } = resource;
  if (name === 'Arn') return arnOf(resource);
  if (name === 'StreamArn') return runtime.streamArns.get(nameOf(resource));
  if (name === 'QueueName' && type === 'AWS::SQS::Queue') return nameOf(resource);
  if (name === 'QueueUrl') return runtime.queueUrl(nameOf(resource));
  if (name === 'ApiEndpoint' && type === 'AWS::ApiGatewayV2::Api') return runtime.apiUrl;
  if (name === 'ApiId' && type === 'AWS::ApiGatewayV2::Api') return resource.id;
  return undefined;
}
