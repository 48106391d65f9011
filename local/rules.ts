import { randomUUID } from 'node:crypto';
import { LocalFailure, messageOf } from './failure.ts';
import type { LocalLog } from './log.ts';
import { matchesPattern, type Pattern } from './pattern.ts';
import { ACCOUNT, arnOf, REGION } from './resources.ts';
import type { Resource } from './template.ts';

/** An event of EventBridge. */
export interface BusEvent {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: object;
}

export function busEvent(
  facts: Pick<BusEvent, 'detail-type' | 'source' | 'resources' | 'detail'>,
): BusEvent {
  return {
    version: '0',
    id: randomUUID(),
    account: ACCOUNT,
    time: new Date().toISOString(),
    region: REGION,
    ...facts,
  };
}

/** Takes an event for the queue or function of this ARN. Rejects when it was not taken. */
export type Deliver = (targetArn: string, event: BusEvent) => Promise<void>;

interface Rule {
  readonly arn: string;
  readonly pattern: Pattern | undefined;
  readonly everyMs: number | undefined;
  readonly targets: readonly string[];
}

const UNIT_MS: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** The rules of the template: events go to the targets of the rules that match them. */
export class Rules {
  readonly #rules: readonly Rule[];
  readonly #deliver: Deliver;
  readonly #timers: NodeJS.Timeout[] = [];

  /** `resources` are resolved. Refuses what a rule can have and the local cloud cannot. */
  constructor(resources: readonly Resource[], deliver: Deliver) {
    this.#rules = resources.map(ruleOf);
    this.#deliver = deliver;
  }

  /** Resolves when every target has taken the event. */
  async put(event: BusEvent): Promise<void> {
    const matching = this.#rules.filter(({ pattern }) => pattern && matchesPattern(pattern, event));
    const targets = matching.flatMap((rule) => rule.targets);
    await Promise.all(targets.map((target) => this.#deliver(target, event)));
  }

  /** Ticks every schedule now, and then in its own time. */
  startSchedules(log: LocalLog): void {
    for (const { arn, everyMs, targets } of this.#rules) {
      if (everyMs === undefined) continue;
      const tick = () => {
        const event = busEvent({
          'detail-type': 'Scheduled Event',
          source: 'aws.events',
          resources: [arn],
          detail: {},
        });
        for (const target of targets) {
          this.#deliver(target, event).catch((error) => log.line('schedule', messageOf(error)));
        }
      };
      tick();
      this.#timers.push(setInterval(tick, everyMs));
    }
  }

  stopSchedules(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}

function ruleOf(resource: Resource): Rule {
  const { id, properties } = resource;
  const { EventPattern, ScheduleExpression, State, Targets = [] } = properties;
  const targets = (Targets as readonly Readonly<Record<string, unknown>>[]).map((target) => {
    const extra = Object.keys(target).find((name) => /^Input/.test(name));
    if (extra) throw new LocalFailure(`${id}: the local cloud does not know ${extra} of a target`);
    return String(target.Arn);
  });
  const isOff = State === 'DISABLED';
  return {
    arn: arnOf(resource) ?? id,
    pattern: isOff ? undefined : (EventPattern as Pattern | undefined),
    everyMs: ScheduleExpression && !isOff ? periodMs(id, String(ScheduleExpression)) : undefined,
    targets,
  };
}

/** `rate(5 minutes)`. */
function periodMs(id: string, expression: string): number {
  const [, count, unit = ''] = expression.match(/^rate\((\d+) (minute|hour|day)s?\)$/) ?? [];
  if (!count) throw new LocalFailure(`${id}: the local cloud does not know ${expression}`);
  return Number(count) * (UNIT_MS[unit] ?? 0);
}
