import { CfnOutput, Duration, Stack } from 'aws-cdk-lib';
import { AlarmStatusWidget, Dashboard, GraphWidget, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { MetricName } from '../functions/shared/meter-catalogue.ts';
import { alarm, countedMetric, GRADES, type Grade, GradedAlarm } from './kit/alarm.ts';
import type { PlatformApi } from './kit/http-api.ts';
import type { NodeFunction } from './kit/node-function.ts';
import type { Settings } from './kit/settings.ts';

export interface SignalsProps {
  readonly settings: Settings;
  readonly api: PlatformApi;
  readonly functions: Readonly<Record<string, NodeFunction>>;
  readonly queues: Readonly<Record<string, Queue>>;
}

const MINUTE = { period: Duration.minutes(1) };

/** Queues whose work is late as soon as it waits for minutes. In all others waiting is the plan. */
const PROMPT_QUEUES: Readonly<Record<string, string>> = {
  'delivery-fast': 'First attempts at webhooks are minutes late.',
  inbox: 'Received webhooks are forwarded minutes late.',
  tasks: 'Tasks fire minutes late.',
};

/**
 * How an operator learns of trouble: what customers would notice, two topics that all alarms of
 * the stack go to by their grade, and one dashboard. Made last, because it looks at all others.
 */
export class Signals extends Construct {
  constructor(scope: Construct, id: string, props: SignalsProps) {
    super(scope, id);
    this.#watchApi(props);
    for (const [name, impact] of Object.entries(PROMPT_QUEUES)) {
      const queue = props.queues[name];
      if (!queue) throw new Error(`there is no queue ${name}`);
      alarm(this, `${name}Late`, {
        grade: 'wake-up',
        metric: queue.metricApproximateAgeOfOldestMessage({ ...MINUTE, statistic: 'Maximum' }),
        atLeast: Duration.minutes(5).toSeconds(),
        periods: 3,
        impact,
        runbook: 'a-queue-is-not-worked-off',
      });
    }
    this.#watchQuota();
    const alarms = Stack.of(this)
      .node.findAll()
      .filter((it) => it instanceof GradedAlarm);
    for (const grade of GRADES) this.#tell(grade, alarms);
    this.#draw(props, alarms);
  }

  #watchApi({ api, settings }: SignalsProps): void {
    alarm(this, 'ApiFaults', {
      grade: 'wake-up',
      // Not what API Gateway counts: a tenant's own source may answer 503 all night.
      metric: countedMetric(settings, 'ApiFaults'),
      atLeast: 5,
      periods: 3,
      impact: 'Requests are answered with 500 or 503, through no fault of their callers.',
      runbook: 'the-api-answers-5xx',
    });
    alarm(this, 'ApiSlow', {
      grade: 'look-tomorrow',
      metric: api.metric('Latency', 'p99'),
      atLeast: Duration.seconds(3).toMilliseconds(),
      periods: 10,
      impact: 'One request of a hundred takes three seconds or more.',
      runbook: 'the-api-is-slow',
    });
  }

  #watchQuota(): void {
    alarm(this, 'Throttled', {
      grade: 'wake-up',
      metric: new Metric({
        ...MINUTE,
        namespace: 'AWS/Lambda',
        metricName: 'Throttles',
        statistic: 'Sum',
      }),
      atLeast: 10,
      periods: 5,
      impact: 'The account has no more concurrent executions: work waits, requests may get 503.',
      runbook: 'functions-are-throttled',
    });
  }

  /** A topic that people subscribe to. It hears of an alarm's end as well. */
  #tell(grade: Grade, alarms: readonly GradedAlarm[]): void {
    const id = grade === 'wake-up' ? 'WakeUp' : 'LookTomorrow';
    const topic = new Topic(this, id, { displayName: `Tallyhook: ${grade}`, enforceSSL: true });
    // A topic with a policy of its own hears nobody who is not named there.
    topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    const action = new SnsAction(topic);
    for (const it of alarms.filter((one) => one.grade === grade)) {
      it.addAlarmAction(action);
      it.addOkAction(action);
    }
    new CfnOutput(Stack.of(this), `${id}TopicArn`, { value: topic.topicArn });
  }

  #draw({ settings, api, functions, queues }: SignalsProps, alarms: readonly GradedAlarm[]): void {
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });
    const ofGrade = (grade: Grade) => alarms.filter((it) => it.grade === grade);
    const all = Object.values(functions);
    const depths = Object.values(queues);
    dashboard.addWidgets(
      status('Wake up', ofGrade('wake-up')),
      status('Look tomorrow', ofGrade('look-tomorrow')),
    );
    dashboard.addWidgets(
      graph('Requests', [api.metric('Count', 'Sum'), api.metric('4xx', 'Sum')]),
      graph('Requests: 5xx', [api.metric('5xx', 'Sum'), countedMetric(settings, 'ApiFaults')]),
      graph('Requests: milliseconds', [api.metric('Latency', 'p50'), api.metric('Latency', 'p99')]),
    );
    this.#drawWork(dashboard, settings);
    dashboard.addWidgets(
      graph(
        'Queues: oldest message in seconds',
        depths.map((it) => it.metricApproximateAgeOfOldestMessage(MINUTE)),
      ),
      graph(
        'Queues: messages',
        depths.map((it) => it.metricApproximateNumberOfMessagesVisible(MINUTE)),
      ),
      graph('Events: oldest not relayed, in ms', [
        countedMetric(settings, 'OldestUnrelayedMs', 'Maximum'),
      ]),
    );
    dashboard.addWidgets(
      graph(
        'Functions: errors',
        all.map((it) => it.metricErrors(MINUTE)),
      ),
      graph(
        'Functions: milliseconds',
        all.map((it) => it.metricDuration({ ...MINUTE, statistic: 'p95' })),
      ),
      graph(
        'Functions: running at once',
        all.map((it) => it.metric('ConcurrentExecutions', { ...MINUTE, statistic: 'Maximum' })),
      ),
    );
    const { region, partition } = Stack.of(this);
    const console = partition === 'aws-cn' ? 'console.amazonaws.cn' : 'console.aws.amazon.com';
    const page = `#dashboards/dashboard/${dashboard.dashboardName}`;
    new CfnOutput(Stack.of(this), 'DashboardUrl', {
      value: `https://${console}/cloudwatch/home?region=${region}${page}`,
    });
  }

  /** What the instances themselves have counted: docs/metrics.md. */
  #drawWork(dashboard: Dashboard, settings: Settings): void {
    const sum = (name: MetricName) => countedMetric(settings, name);
    const p99 = (name: MetricName) => countedMetric(settings, name, 'p99');
    dashboard.addWidgets(
      graph('Money: transactions and refusals', [
        sum('tallyhook_transactions_total'),
        sum('tallyhook_refusals_total'),
      ]),
      graph('Webhooks: attempts by outcome', [
        sum('tallyhook_delivery_attempts_total_delivered'),
        sum('tallyhook_delivery_attempts_total_failed'),
        sum('tallyhook_delivery_attempts_total_unknown'),
      ]),
      graph('Webhooks: deliveries held, exhausted, expired', [
        sum('tallyhook_deliveries_total_held'),
        sum('tallyhook_deliveries_total_exhausted'),
        sum('tallyhook_deliveries_total_expired'),
      ]),
    );
    dashboard.addWidgets(
      graph('Webhooks: seconds from commit to receiver', [p99('tallyhook_delivery_age_seconds')]),
      graph('Late by seconds: attempts and tasks', [
        p99('tallyhook_delivery_lag_seconds'),
        p99('tallyhook_task_lateness_seconds'),
      ]),
      graph('Files: rows, and webhooks of others', [
        sum('tallyhook_file_rows_total'),
        sum('webhook_events_total'),
      ]),
    );
  }
}

function status(title: string, alarms: readonly GradedAlarm[]): AlarmStatusWidget {
  return new AlarmStatusWidget({ title, alarms: [...alarms], width: 12, height: 6 });
}

function graph(title: string, left: readonly Metric[]): GraphWidget {
  return new GraphWidget({ title, left: [...left], width: 8, height: 6 });
}
