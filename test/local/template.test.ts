import { describe, expect, it } from 'vitest';
import { referencesOf } from '../../local/resources.ts';
import { parseTemplate, type References, resolve } from '../../local/template.ts';

const TEMPLATE = parseTemplate(
  JSON.stringify({
    Parameters: { BootstrapVersion: { Type: 'AWS::SSM::Parameter::Value<String>' } },
    Resources: {
      Ledger: { Type: 'AWS::DynamoDB::GlobalTable', Properties: {} },
      Work: { Type: 'AWS::SQS::Queue', Properties: {} },
      Named: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'given' } },
      Files: { Type: 'AWS::S3::Bucket', Properties: {} },
      AdminKey: { Type: 'AWS::SecretsManager::Secret', Properties: {} },
      Worker: { Type: 'AWS::Lambda::Function', Properties: {} },
      Role: { Type: 'AWS::IAM::Role', Properties: {} },
      Api: { Type: 'AWS::ApiGatewayV2::Api', Properties: {} },
    },
    Outputs: { ApiUrl: { Value: { 'Fn::GetAtt': ['Api', 'ApiEndpoint'] } } },
  }),
);

const references: References = referencesOf(TEMPLATE, {
  apiUrl: 'http://api',
  queueUrl: (name) => `http://sqs/${name}`,
  streamArns: new Map([['Tallyhook-Ledger', 'arn:stream']]),
});

describe('resolve', () => {
  it.each([
    [{ Ref: 'Ledger' }, 'Tallyhook-Ledger'],
    [{ Ref: 'Work' }, 'http://sqs/Tallyhook-Work'],
    [{ Ref: 'Named' }, 'http://sqs/given'],
    [{ Ref: 'Files' }, 'tallyhook-files'],
    [
      { Ref: 'AdminKey' },
      'arn:aws:secretsmanager:us-east-1:000000000000:secret:Tallyhook-AdminKey',
    ],
    [{ Ref: 'AWS::Partition' }, 'aws'],
    [{ 'Fn::GetAtt': ['Ledger', 'StreamArn'] }, 'arn:stream'],
    [{ 'Fn::GetAtt': 'Work.Arn' }, 'arn:aws:sqs:us-east-1:000000000000:Tallyhook-Work'],
    [
      { 'Fn::GetAtt': ['Worker', 'Arn'] },
      'arn:aws:lambda:us-east-1:000000000000:function:Tallyhook-Worker',
    ],
    [{ 'Fn::GetAtt': ['Role', 'Arn'] }, 'arn:aws:iam::000000000000:role/Tallyhook-Role'],
    [{ 'Fn::Join': ['/', ['a', { Ref: 'Ledger' }]] }, 'a/Tallyhook-Ledger'],
    [{ 'Fn::Select': [1, { 'Fn::Split': [':', 'a:b:c'] }] }, 'b'],
    [
      { 'Fn::Sub': `\${AWS::Region}/\${Work.QueueName}/\${!kept}` },
      `us-east-1/Tallyhook-Work/\${kept}`,
    ],
    [{ 'Fn::Sub': [`\${own}!`, { own: { Ref: 'Ledger' } }] }, 'Tallyhook-Ledger!'],
    [{ deep: [{ Ref: 'Ledger' }, 1, true] }, { deep: ['Tallyhook-Ledger', 1, true] }],
    [{ gone: { Ref: 'AWS::NoValue' }, kept: 1 }, { kept: 1 }],
    [[{ Ref: 'AWS::NoValue' }, 1], [1]],
  ])('turns %j into %j', (value, expected) => {
    expect(resolve(value, references, 'Here')).toEqual(expected);
  });

  it.each([
    [{ 'Fn::Cidr': [] }, 'Here: the local cloud does not know the function Fn::Cidr'],
    [{ Ref: 'Nobody' }, 'Here: the local cloud cannot resolve Ref Nobody'],
    [
      { 'Fn::GetAtt': ['Work', 'Colour'] },
      'Here: the local cloud cannot resolve Fn::GetAtt Work.Colour',
    ],
    [{ 'Fn::Select': [3, ['a']] }, 'Here: the local cloud cannot resolve Fn::Select 3'],
  ])('stops at %j with its name', (value, message) => {
    expect(() => resolve(value, references, 'Here')).toThrow(message);
  });
});

describe('parseTemplate', () => {
  const parse = (resource: object) =>
    parseTemplate(JSON.stringify({ Resources: { Thing: resource } }));

  it('stops at a resource type that it neither makes nor ignores, with its name', () => {
    expect(() => parse({ Type: 'AWS::Kinesis::Stream' })).toThrow(
      'Thing: the local cloud does not know the resource type AWS::Kinesis::Stream',
    );
  });

  it('stops at a condition on what it makes, and passes over one on what it ignores', () => {
    const conditional = { Condition: 'IsProd', Properties: {} };
    expect(() => parse({ Type: 'AWS::SQS::Queue', ...conditional })).toThrow('IsProd');
    expect(parse({ Type: 'AWS::CDK::Metadata', ...conditional }).resources).toHaveLength(1);
  });
});
