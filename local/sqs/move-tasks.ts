import { randomUUID } from 'node:crypto';
import { messageOf } from '../failure.ts';
import { QUEUE_ARN_PREFIX, type QueueStore, queueOfArn, SqsError } from './store.ts';

/** What StartMessageMoveTask asks for. */
export interface MoveOrder {
  readonly SourceArn?: string | undefined;
  /** Back to where each message came from, when absent. */
  readonly DestinationArn?: string | undefined;
  /** As fast as it goes, when absent. */
  readonly MaxNumberOfMessagesPerSecond?: number | undefined;
}

interface MoveTask {
  readonly handle: string;
  readonly order: MoveOrder;
  readonly source: string;
  readonly target: string | undefined;
  readonly toMove: number;
  readonly startedMs: number;
  status: 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';
  moved: number;
  failure?: string;
}

const PER_SECOND_MAX = 500;
const TICK_MS = 50;
/** Of ended tasks SQS tells the last ten of a queue. */
const KEPT_MAX = 10;

/**
 * Moves dead letters, at most as many a second as was asked for. A task ends with this process:
 * what it has not moved stays parked, and another task moves it.
 */
export class MoveTasks {
  readonly #store: QueueStore;
  readonly #moved: () => void;
  readonly #tasks: MoveTask[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();

  /** `moved` is called after messages have come to a queue. */
  constructor(store: QueueStore, moved: () => void) {
    this.#store = store;
    this.#moved = moved;
  }

  /** Answers the handle. Refuses a queue that is no dead-letter queue, and a second task of it. */
  start(order: MoveOrder): string {
    const source = queueOfArn(order.SourceArn ?? '');
    const { MaxNumberOfMessagesPerSecond: perSecond, DestinationArn } = order;
    this.#assertMovable(source, perSecond);
    const task: MoveTask = {
      handle: randomUUID(),
      order,
      source,
      target: DestinationArn && queueOfArn(DestinationArn),
      toMove: Number(this.#store.attributes(source).ApproximateNumberOfMessages),
      startedMs: Date.now(),
      status: 'RUNNING',
      moved: 0,
    };
    this.#tasks.unshift(task);
    this.#forgetOld(source);
    this.#step(task);
    if (task.status === 'RUNNING') {
      const timer = setInterval(() => {
        this.#step(task);
        if (task.status === 'RUNNING') return;
        clearInterval(timer);
        this.#timers.delete(timer);
      }, TICK_MS);
      this.#timers.add(timer);
    }
    return task.handle;
  }

  /** The tasks of a dead-letter queue, newest first; SQS gives handles of running ones only. */
  list(sourceArn: string): object[] {
    const source = queueOfArn(sourceArn);
    this.#store.settings(source);
    return this.#tasks.filter((it) => it.source === source).map(viewOf);
  }

  /** Answers how many messages it had moved. */
  cancel(handle: string): number {
    const task = this.#tasks.find((it) => it.handle === handle && it.status === 'RUNNING');
    if (!task) throw new SqsError('ResourceNotFoundException', 'There is no such running task.');
    task.status = 'CANCELLED';
    return task.moved;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #assertMovable(source: string, perSecond: number | undefined): void {
    const refuse = (why: string) => new SqsError('InvalidParameterValueException', why);
    this.#store.settings(source);
    if (!this.#store.parksFor(source)) {
      throw refuse('Source queue must be configured as a Dead Letter Queue.');
    }
    if (this.#tasks.some((it) => it.source === source && it.status === 'RUNNING')) {
      throw refuse('There is already a task running. Only one is allowed for a source queue.');
    }
    if (perSecond !== undefined && !(perSecond >= 1 && perSecond <= PER_SECOND_MAX)) {
      throw refuse(`MaxNumberOfMessagesPerSecond must be 1 to ${PER_SECOND_MAX}.`);
    }
  }

  /** Moves what may have been moved by now, and ends when nothing is left. */
  #step(task: MoveTask): void {
    if (task.status !== 'RUNNING') return;
    try {
      const due = dueBy(Date.now(), task) - task.moved;
      if (due <= 0) return;
      const moved = this.#store.moveReady(task.source, { target: task.target, max: due });
      task.moved += moved;
      if (moved > 0) this.#moved();
      if (moved < due) this.#end(task);
    } catch (error) {
      task.status = 'FAILED';
      task.failure = messageOf(error);
    }
  }

  #end(task: MoveTask): void {
    const left = this.#store.attributes(task.source).ApproximateNumberOfMessages !== '0';
    task.status = left ? 'FAILED' : 'COMPLETED';
    if (left) task.failure = 'CouldNotDetermineMessageSource';
  }

  #forgetOld(source: string): void {
    const ended = this.#tasks.filter((it) => it.source === source && it.status !== 'RUNNING');
    for (const old of ended.slice(KEPT_MAX)) this.#tasks.splice(this.#tasks.indexOf(old), 1);
  }
}

function dueBy(nowMs: number, { order, startedMs }: MoveTask): number {
  const { MaxNumberOfMessagesPerSecond: perSecond } = order;
  if (perSecond === undefined) return Number.MAX_SAFE_INTEGER;
  return 1 + Math.floor(((nowMs - startedMs) / 1_000) * perSecond);
}

function viewOf({ handle, order, source, status, moved, toMove, startedMs, failure }: MoveTask) {
  return {
    ...(status === 'RUNNING' && { TaskHandle: handle }),
    Status: status,
    SourceArn: `${QUEUE_ARN_PREFIX}${source}`,
    ...(order.DestinationArn && { DestinationArn: order.DestinationArn }),
    ...(order.MaxNumberOfMessagesPerSecond && {
      MaxNumberOfMessagesPerSecond: order.MaxNumberOfMessagesPerSecond,
    }),
    ApproximateNumberOfMessagesMoved: moved,
    ApproximateNumberOfMessagesToMove: toMove,
    ...(failure && { FailureReason: failure }),
    StartedTimestamp: startedMs,
  };
}
