import type { Entry } from '../../../lib/access.ts';
import { at, ofType, type Resource, resourcesWith } from '../../support/stack.ts';

/** What a bill has to know of the stack, read off its template. */
export interface House {
  readonly memoryGb: (entry: Entry) => number;
  /** How many messages or records an invocation of the worker is given at most. */
  readonly batchOf: (entry: Entry) => number;
  /** That have a worker. */
  readonly queues: number;
  readonly deadLetterQueues: number;
  readonly alarms: number;
  readonly metrics: number;
  readonly secrets: number;
}

/** The house as `cdk deploy` makes it. */
export function houseOfTemplate(): House {
  const resources = resourcesWith();
  const functions = new Map(
    ofType(resources, 'Lambda::Function').map(([id, it]) => [
      String(it.Properties.Description).replace('Tallyhook ', ''),
      { id, memoryMb: Number(it.Properties.MemorySize) },
    ]),
  );
  const mappings = ofType(resources, 'Lambda::EventSourceMapping').map(([, it]) => it);
  const queues = mappings.filter(isOfQueue).length;
  const found = (entry: Entry) => {
    const it = functions.get(entry);
    if (!it) throw new Error(`the template has no function ${entry}`);
    return it;
  };
  return {
    memoryGb: (entry) => found(entry).memoryMb / 1_024,
    batchOf: (entry) => {
      const own = mappings.find((it) => at(it.Properties, 'FunctionName.Ref') === found(entry).id);
      return Number(own?.Properties.BatchSize ?? 1);
    },
    queues,
    deadLetterQueues: ofType(resources, 'SQS::Queue').length - queues,
    alarms: ofType(resources, 'CloudWatch::Alarm').length,
    metrics: metricsIn(ofType(resources, 'CloudWatch::Alarm').map(([, it]) => it)),
    secrets: ofType(resources, 'SecretsManager::Secret').length,
  };
}

/** A source with a starting position is a stream. */
function isOfQueue({ Properties }: Resource): boolean {
  return Properties.StartingPosition === undefined;
}

/** Our own metrics that alarms look at. Others are paid for in the months in which they occur. */
function metricsIn(alarms: readonly Resource[]): number {
  const own = alarms.filter(({ Properties }) => Properties.Namespace === 'Tallyhook');
  return new Set(own.map(({ Properties }) => Properties.MetricName)).size;
}
