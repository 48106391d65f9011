import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';

export interface AlarmProps {
  /** One plain metric. */
  readonly metric: Metric;
  /** The least value that rings. Absent: 1, for what must stay at zero. */
  readonly atLeast?: number;
  /** How many periods on end it must last. Absent: 1. */
  readonly periods?: number;
  /** What a customer notices while it lasts. */
  readonly impact: string;
  /** The heading in docs/runbook.md that says what to do, as an anchor. */
  readonly runbook: string;
}

/** Rings when the metric has been so high so long, and says whom it hurts and where to read on. */
export function alarm(scope: Construct, id: string, props: AlarmProps): Alarm {
  return new Alarm(scope, id, {
    metric: props.metric,
    threshold: props.atLeast ?? 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods: props.periods ?? 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
    alarmDescription: `${props.impact} See docs/runbook.md#${props.runbook}.`,
  });
}

/** A metric that our own code counts without labels, minute by minute. */
export function countedMetric(metricName: string, statistic: 'Sum' | 'Maximum' = 'Sum'): Metric {
  return new Metric({
    namespace: 'Tallyhook',
    metricName,
    period: Duration.minutes(1),
    statistic,
  });
}
