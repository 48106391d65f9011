import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../lib/access.ts';
import { appWith, at, ofType, resourcesWith, stackIn } from '../support/stack.ts';
import { factsOf, RULES } from '../support/template-rules.ts';

const RESOURCES = resourcesWith();

describe('the template', () => {
  it.each(RULES)('$title', (rule) => {
    const facts = factsOf(RESOURCES, rule);

    expect(facts, 'the rule guards nothing').not.toEqual([]);
    expect(facts.filter((it) => !rule.holds(it)).map(({ id }) => id)).toEqual([]);
  });

  it.each(RULES)('would be refused otherwise: $title', (rule) => {
    const [victim, ...others] = factsOf(structuredClone(RESOURCES), rule);
    if (!victim) throw new Error('the rule guards nothing');

    rule.spoil(victim);

    expect(rule.holds(victim)).toBe(false);
    expect(others.length + 1).toBe(factsOf(RESOURCES, rule).length);
  });

  it('streams the outbox, and no other table', () => {
    const streaming = ofType(RESOURCES, 'DynamoDB::Table').filter(
      ([, { Properties }]) => Properties.StreamSpecification !== undefined,
    );
    expect(streaming).toEqual([[expect.stringMatching(/^EventsOutbox/), expect.anything()]]);
    expect(at(streaming, '0.1.Properties.StreamSpecification.StreamViewType')).toBe('NEW_IMAGE');
  });

  it('repeats no call of the clock, neither by EventBridge nor by Lambda', () => {
    const rules = ofType(RESOURCES, 'Events::Rule').filter(
      ([, { Properties }]) => Properties.ScheduleExpression !== undefined,
    );
    const workers = rules.map(([, rule]) => at(rule, 'Properties.Targets.0.Arn.Fn::GetAtt.0'));
    expect(workers).toHaveLength(3);
    for (const [, rule] of rules) {
      expect(at(rule, 'Properties.Targets.0.RetryPolicy.MaximumRetryAttempts')).toBe(0);
    }
    const configs = ofType(RESOURCES, 'Lambda::EventInvokeConfig');
    const once = configs.filter(([, it]) => at(it, 'Properties.MaximumRetryAttempts') === 0);
    const names = once.map(([, it]) => at(it, 'Properties.FunctionName.Ref'));
    expect(names.toSorted()).toEqual(workers.toSorted());
  });

  it('hands uploads over without a custom resource', () => {
    const [[, bucket] = []] = ofType(RESOURCES, 'S3::Bucket');
    expect(at(bucket, 'Properties.NotificationConfiguration')).toEqual({
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    });
    expect(ofType(RESOURCES, 'Lambda::Function')).toHaveLength(Object.keys(ACCESS).length);
  });

  it('lets those workers send to themselves without end that are meant to, and no others', () => {
    const endless = ofType(RESOURCES, 'Lambda::Function').filter(
      ([, { Properties }]) => Properties.RecursiveLoop === 'Allow',
    );
    const entries = endless.map(([, { Properties }]) => Properties.Description).toSorted();
    expect(entries).toEqual([
      'Tallyhook audit/on-audit',
      'Tallyhook files/on-block',
      'Tallyhook files/on-care',
      'Tallyhook inbox/on-receipt',
      'Tallyhook ledger/on-hold',
      'Tallyhook tasks/on-due',
      'Tallyhook timers/on-sweep',
      'Tallyhook webhooks/on-care',
      'Tallyhook webhooks/on-delivery',
    ]);
  });

  it('gives a worker two steps of releases at most, each of which takes it seconds', () => {
    const sources = ofType(RESOURCES, 'Lambda::EventSourceMapping');
    const found = sources.filter(([id]) => /^Webhooksendpointcare/.test(id));
    expect(found.map(([, { Properties }]) => Properties.BatchSize)).toEqual([2]);
  });

  it('leaves two fifths of the concurrency to the API', () => {
    const consumers = ofType(RESOURCES, 'Lambda::EventSourceMapping').map(([, { Properties }]) =>
      Number(at(Properties, 'ScalingConfig.MaximumConcurrency') ?? 0),
    );
    const sum = consumers.reduce((total, it) => total + it, 0);
    expect(sum).toBeLessThanOrEqual(600);
    expect(sum).toBeGreaterThan(590);
  });
});

describe('what the code counts', () => {
  const alarms = ofType(RESOURCES, 'CloudWatch::Alarm').map(([, { Properties }]) => Properties);

  it.each([
    { metric: 'AuditViolations', section: 'an-audit-has-found-violations', atLeast: 1, minutes: 1 },
    { metric: 'AuditsFailed', section: 'an-audit-has-failed', atLeast: 1, minutes: 1 },
    { metric: 'RateLimitsAlone', section: 'rate-limits-are-kept-alone', atLeast: 1, minutes: 3 },
    { metric: 'UnreadableRows', section: 'a-stored-row-cannot-be-read', atLeast: 1, minutes: 1 },
    { metric: 'OldestUnrelayedMs', section: 'events-are-not-relayed', atLeast: 3e5, minutes: 1 },
  ])('$metric rings at $atLeast for $minutes min', ({ metric, section, atLeast, minutes }) => {
    const [found, ...others] = alarms.filter((it) => it.MetricName === metric);

    expect(others).toEqual([]);
    expect(found).toMatchObject({
      Namespace: 'Tallyhook',
      Period: 60,
      Statistic: metric.endsWith('Ms') ? 'Maximum' : 'Sum',
      Threshold: atLeast,
      EvaluationPeriods: minutes,
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      TreatMissingData: 'notBreaching',
    });
    expect(found?.AlarmDescription).toMatch(new RegExp(`#${section}\\.$`));
  });
});

describe('the heartbeat of the sweeper', () => {
  it('rings when no tick was counted for two minutes on end, as when nobody counts', () => {
    const alarms = ofType(RESOURCES, 'CloudWatch::Alarm').map(([, { Properties }]) => Properties);
    const found = alarms.filter((it) => it.MetricName === 'SweeperTicks');
    expect(found).toMatchObject([
      {
        ...{ Namespace: 'Tallyhook', Period: 60, Statistic: 'Sum', Threshold: 1 },
        ...{ EvaluationPeriods: 2, ComparisonOperator: 'LessThanThreshold' },
        TreatMissingData: 'breaching',
        AlarmDescription: expect.stringMatching(/#the-sweeper-does-not-tick\.$/),
      },
    ]);
  });
});

describe('the tables', () => {
  it.each([
    { table: 'TenantsControl', indexes: ['listing', 'due'], ttl: true },
    { table: 'EventsOutbox', indexes: ['listing'], ttl: true },
    { table: 'WebhooksEndpoints', indexes: ['due'], ttl: true },
    { table: 'WebhooksDeliveries', indexes: ['due', 'open'], ttl: true },
    { table: 'Ledger', indexes: ['listing', 'due', 'reference'], ttl: false },
    { table: 'Files', indexes: ['listing', 'due'], ttl: true },
    { table: 'Tasks', indexes: ['listing', 'due'], ttl: false },
  ])('$table has the indexes $indexes, and ttl: $ttl', ({ table, indexes, ttl }) => {
    const [[, found] = []] = ofType(RESOURCES, 'DynamoDB::Table').filter(([id]) =>
      new RegExp(`^${table}[0-9A-F]{8}$`).test(id),
    );
    const keysOf = (it: unknown) => [at(it, '0.AttributeName'), at(it, '1.AttributeName')];

    expect(keysOf(found?.Properties.KeySchema)).toEqual(['pk', 'sk']);
    expect(
      [found?.Properties.GlobalSecondaryIndexes].flat().map((it) => keysOf(at(it, 'KeySchema'))),
    ).toEqual(indexes.map((index) => [`${index}Pk`, `${index}Sk`]));
    expect(at(found, 'Properties.TimeToLiveSpecification.AttributeName')).toBe(
      ttl ? 'ttl' : undefined,
    );
  });
});

describe('the stage', () => {
  const KEPT = ['DynamoDB::Table', 'S3::Bucket', 'SecretsManager::Secret', 'Logs::LogGroup'];

  it.each([
    { stage: 'prod', policy: 'Retain', protectedTables: true },
    { stage: 'dev', policy: 'Delete', protectedTables: false },
  ])('$stage: what holds data has the policy $policy', ({ stage, policy, protectedTables }) => {
    const resources = resourcesWith({ stage });
    const kept = KEPT.flatMap((type) => ofType(resources, type));

    expect(new Set(kept.map(([, it]) => it.DeletionPolicy))).toEqual(new Set([policy]));
    for (const [, { Properties }] of ofType(resources, 'DynamoDB::Table')) {
      expect(Properties.DeletionProtectionEnabled).toBe(protectedTables);
    }
  });
});

describe('the outputs', () => {
  it('say where the API is, which key opens it, and where one sees how it is', () => {
    const { Outputs } = Template.fromStack(stackIn(appWith())).toJSON();
    expect(Object.keys(Outputs).sort()).toEqual([
      'AdminKeySecretName',
      'ApiId',
      'ApiUrl',
      'BucketName',
      'DashboardUrl',
      'LookTomorrowTopicArn',
      'WakeUpTopicArn',
    ]);
  });
});
