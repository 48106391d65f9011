import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { appWith, at, ofType, stackIn } from '../support/stack.ts';

const TEMPLATE = Template.fromStack(stackIn(appWith())).toJSON();
const RESOURCES = TEMPLATE.Resources;
const ALARMS = ofType(RESOURCES, 'CloudWatch::Alarm').map(([, { Properties }]) => Properties);

const sectionOf = ({ AlarmDescription }: Record<string, unknown>) =>
  String(AlarmDescription).match(/#(?<section>[\w-]+)\.$/)?.groups?.section;

/** The sections of the runbook whose alarms go to the topic of this output. */
function sectionsOf(output: string): (string | undefined)[] {
  const topic = at(TEMPLATE.Outputs, `${output}.Value`);
  const theirs = ALARMS.filter((it) => JSON.stringify(it.AlarmActions) === JSON.stringify([topic]));
  return [...new Set(theirs.map(sectionOf))].toSorted();
}

describe('alarms', () => {
  it('wake somebody up for what customers notice, and for nothing else', () => {
    expect(sectionsOf('WakeUpTopicArn')).toEqual([
      'a-queue-is-not-worked-off',
      'a-reader-of-the-stream-is-behind',
      'an-audit-has-found-violations',
      'events-are-not-relayed',
      'functions-are-throttled',
      'the-api-answers-5xx',
      'the-reconciler-does-not-tick',
      'the-sweeper-does-not-tick',
    ]);
  });

  it('leave the rest for tomorrow', () => {
    expect(sectionsOf('LookTomorrowTopicArn')).toEqual([
      'a-dead-letter-queue-is-not-empty',
      'a-function-fails',
      'a-stored-row-cannot-be-read',
      'an-audit-has-failed',
      'files-dropped-for-nobody',
      'rate-limits-are-kept-alone',
      'received-webhooks-have-failed',
      'the-api-is-slow',
    ]);
  });

  it('tell of their end where they told of their beginning, each in one place', () => {
    for (const it of ALARMS) {
      expect(it.AlarmActions).toHaveLength(1);
      expect(it.OKActions).toEqual(it.AlarmActions);
    }
  });

  it('may reach both topics, and nobody else may but over TLS', () => {
    const policies = ofType(RESOURCES, 'SNS::TopicPolicy');
    expect(policies).toHaveLength(2);
    for (const [, { Properties }] of policies) {
      expect(at(Properties, 'PolicyDocument.Statement')).toMatchObject([
        { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
        {
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
        },
      ]);
    }
  });
});

describe('what our own code counts', () => {
  it('is that of one stage, because an account may hold several', () => {
    const counted = ALARMS.filter(({ Namespace }) => Namespace === 'Tallyhook');
    expect(counted.length).toBeGreaterThan(8);
    for (const { Dimensions } of counted) {
      expect(Dimensions).toEqual([{ Name: 'Stage', Value: 'dev' }]);
    }
    const functions = ofType(RESOURCES, 'Lambda::Function').map(([, it]) => it);
    expect(functions.map((it) => at(it, 'Properties.Environment.Variables.STAGE'))).toEqual(
      functions.map(() => 'dev'),
    );
  });
});

describe('the dashboard', () => {
  const [[name, dashboard] = ['', undefined]] = ofType(RESOURCES, 'CloudWatch::Dashboard');
  const body = JSON.stringify(dashboard?.Properties.DashboardBody);

  it('is where the output DashboardUrl leads', () => {
    const url = JSON.stringify(at(TEMPLATE.Outputs, 'DashboardUrl.Value'));
    expect(url).toContain(`#dashboards/dashboard/"`);
    expect(url).toContain(`{"Ref":"${name}"}`);
  });

  it.each(['CloudWatch::Alarm', 'Lambda::Function'])('shows every %s', (type) => {
    const missing = ofType(RESOURCES, type).filter(([id]) => !body.includes(`"${id}"`));
    expect(missing.map(([id]) => id)).toEqual([]);
  });

  it('shows every queue that is worked off', () => {
    const sources = ofType(RESOURCES, 'Lambda::EventSourceMapping')
      .map(([, source]) => String(at(source, 'Properties.EventSourceArn.Fn::GetAtt.0')))
      .filter((id) => RESOURCES[id]?.Type === 'AWS::SQS::Queue');
    expect(sources.length).toBeGreaterThan(8);
    expect(sources.filter((id) => !body.includes(`"${id}"`))).toEqual([]);
  });
});
