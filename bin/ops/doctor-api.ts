import type { ApiCaller } from './api-caller.ts';
import { listQueues } from './dead-letter-queue.ts';
import type { Symptom } from './symptom.ts';

/** Whether the API answers, and what it says of the rest: `GET /health` and `GET /ready`. */
export async function askApi(visitor: ApiCaller): Promise<Symptom[]> {
  const health = await visitor.ask('GET', '/health');
  const isWell = health.status === 200;
  const advice = '"A function fails": operations/api does not answer as it should.';
  const alive: Symptom = {
    about: 'health',
    seen: isWell ? `build ${health.body.build}` : `answers ${health.status}`,
    ...(!isWell && { advice }),
  };
  const ready = await visitor.ask('GET', '/ready');
  const checks = ready.body.checks as readonly ReadyCheck[] | undefined;
  return [alive, ...(checks?.map(readyRow) ?? [unknown(ready.status)])];
}

function unknown(status: number): Symptom {
  const advice = '"A function fails": operations/admin-api does not answer as it should.';
  return { about: 'ready', seen: `answers ${status}`, advice };
}

/** As `GET /ready` shows it. */
interface ReadyCheck {
  readonly name: string;
  readonly status: string;
  readonly since?: string;
  readonly backlog?: Readonly<Record<string, number>>;
}

/** What to read where one of them is not as it should be. */
const READY_SECTIONS: Readonly<Record<string, string>> = {
  relay: '"Events are not relayed": nobody has to send anything again.',
  sweeper: '"The sweeper does not tick".',
  queues: '"A queue is not worked off".',
};

function readyRow({ name, status, since, backlog = {} }: ReadyCheck): Symptom {
  const waiting = Object.entries(backlog).map(([queue, depth]) => `${queue} ${depth}`);
  const facts = [status, ...(since ? [`since ${since}`] : []), ...waiting];
  const fails = `"A function fails": ${name} does not answer.`;
  const advice = (status === 'failed' ? undefined : READY_SECTIONS[name]) ?? fails;
  return { about: `ready: ${name}`, seen: facts.join(', '), ...(status !== 'ok' && { advice }) };
}

/** The queues that have dead letters. */
export async function askDeadLetters(admin: ApiCaller): Promise<Symptom[]> {
  const queues = await listQueues(admin);
  const full = queues.filter(({ depth }) => depth > 0);
  if (full.length === 0)
    return [{ about: 'dead letters', seen: `none in ${queues.length} queues` }];
  return full.map(({ queue, depth, redrivable, messages }) => ({
    about: `dead letters ${queue}`,
    seen: `${depth}${messages[0] ? `, one of ${messages[0].sentAt}` : ''}`,
    advice: redrivable
      ? `"A dead-letter queue is not empty": mend the cause, then npm run ops -- redrive ${queue}`
      : (STREAM_ADVICE[queue] ?? `"A dead-letter queue is not empty": ${queue}`),
  }));
}

/** What holds positions of the stream, which cannot be sent again. */
const STREAM_ADVICE: Readonly<Record<string, string>> = {
  unrelayed:
    '"A dead-letter queue is not empty": when no event is unrelayed, ' +
    'npm run ops -- drop unrelayed --all --reason relayed',
  unprojected:
    '"A statement ends too early": npm run ops -- rebuild statements, then ' +
    'drop unprojected --all --before <its beginning> --reason rebuilt',
};
