import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps as CdkAlarmProps,
  ComparisonOperator,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import type { MetricName } from '../../functions/shared/meter-catalogue.ts';
import type { Settings } from './settings.ts';

/**
 * Whom an alarm may disturb. `wake-up`: customers notice it now, and it does not heal by itself.
 * `look-tomorrow`: a cause that somebody has to look at in working hours.
 */
export const GRADES = ['wake-up', 'look-tomorrow'] as const;
export type Grade = (typeof GRADES)[number];

export interface AlarmProps {
  readonly grade: Grade;
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

/** Says whom it hurts and where to read on. `Signals` sends it to the topic of its grade. */
export class GradedAlarm extends Alarm {
  readonly grade: Grade;

  constructor(scope: Construct, id: string, props: AlarmProps & RingsWhen) {
    const { grade, metric, periods = 1, impact, runbook, ...ringsWhen } = props;
    super(scope, id, {
      ...ringsWhen,
      metric,
      evaluationPeriods: periods,
      alarmDescription: `${impact} See docs/runbook.md#${runbook}.`,
    });
    this.grade = grade;
  }
}

type RingsWhen = Required<
  Pick<CdkAlarmProps, 'threshold' | 'comparisonOperator' | 'treatMissingData'>
>;

/** Rings when the metric has been so high so long. */
export function alarm(
  scope: Construct,
  id: string,
  { atLeast = 1, ...props }: AlarmProps,
): GradedAlarm {
  return new GradedAlarm(scope, id, {
    ...props,
    threshold: atLeast,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
}

/** Rings when the metric has stayed below 1 so long, which is also when nobody counts at all. */
export function heartbeatAlarm(
  scope: Construct,
  id: string,
  props: Omit<AlarmProps, 'atLeast'>,
): GradedAlarm {
  return new GradedAlarm(scope, id, {
    ...props,
    threshold: 1,
    comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
    treatMissingData: TreatMissingData.BREACHING,
  });
}

/** A metric that our own code tells, minute by minute, of this stage. */
export function countedMetric(
  { options }: Pick<Settings, 'options'>,
  metricName: MetricName,
  statistic: 'Sum' | 'Maximum' | 'p99' = 'Sum',
): Metric {
  return new Metric({
    namespace: 'Tallyhook',
    metricName,
    dimensionsMap: { Stage: options.stage },
    period: Duration.minutes(1),
    statistic,
  });
}
