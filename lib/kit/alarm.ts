import {
  Alarm,
  ComparisonOperator,
  type Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';

export interface AlarmProps {
  /** One plain metric: what is counted must stay at zero. */
  readonly metric: Metric;
  /** What a customer notices while it lasts. */
  readonly impact: string;
  /** The heading in docs/runbook.md that says what to do, as an anchor. */
  readonly runbook: string;
}

/** Rings as soon as the metric is above zero, and says whom it hurts and where to read on. */
export function alarm(scope: Construct, id: string, props: AlarmProps): Alarm {
  return new Alarm(scope, id, {
    metric: props.metric,
    threshold: 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
    alarmDescription: `${props.impact} See docs/runbook.md#${props.runbook}.`,
  });
}
